"""Planting by plain requests, as a client that is none of ours would send them."""

from __future__ import annotations

import httpx

from support._async.people import PASSWORD, new_email
from vintner_local.pytest_plugin import SupabaseStack


def test_rows_that_say_different_things_get_what_their_stage_gives(
    supabase_stack: SupabaseStack,
) -> None:
    with httpx.Client(
        base_url=supabase_stack.url,
        headers={"apikey": supabase_stack.publishable_key, "Prefer": "return=representation"},
    ) as http:
        person = {"email": new_email(), "password": PASSWORD}
        signed_up = http.post("/auth/v1/signup", json=person).raise_for_status().json()
        http.headers["Authorization"] = f"Bearer {signed_up['access_token']}"

        vine = {
            "project_name": "shop",
            "environment_stage": "production",
            "region": "eu-west-1",
        }
        manifest = {"name": "main", "vines": [vine]}
        applied = http.post("/rest/v1/rpc/apply_manifest", json={"p_manifest": manifest})
        assert [entry["type"] for entry in applied.json()["create"]] == ["vineyard", "vine"]
        select = {"select": "id,name_prefix,state_path"}
        (made,) = http.get("/rest/v1/vines", params=select).raise_for_status().json()
        assert made["name_prefix"] == "shop-production"
        assert made["state_path"] == f"production/shop/{made['id']}"

        # a key that one row names is null in the others
        caches = [
            {"vine_id": made["id"], "name": "a"},
            {"vine_id": made["id"], "name": "b", "multi_az": False},
        ]
        columns = {"columns": "vine_id,name,multi_az"}
        answer = http.post("/rest/v1/vine_caches", params=columns, json=caches)
        found = [(row["multi_az"], row["num_cache_nodes"]) for row in answer.json()]
        assert found == [(True, 2), (False, 2)]

        manifest["vines"] = [{**vine, "databases": [{"name": "a", "port": "5432"}]}]
        refused = http.post("/rest/v1/rpc/apply_manifest", json={"p_manifest": manifest})
        assert (refused.status_code, refused.json()["details"]) == (400, "invalid_input")
