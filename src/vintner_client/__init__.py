"""The typed client library of Vintner.

    async with AsyncVintner.from_env() as client:
        await client.auth.sign_in(email=email, password=password)
        vine = (await client.vines.find(project_name="shop"))[0]
        job = await client.vines.harvest(vine.id)
        async for chunk in client.jobs.follow_logs(job.id):
            print(chunk.log_chunk, end="")

Public are the names below, `vintner_client.errors` and `vintner_client.models`; modules whose name
starts with `_` are not. The library reads no files; it speaks to PostgREST, Auth and Realtime of a
Supabase project that has Vintner's migrations.
"""

from vintner_client import errors, models
from vintner_client._auth import Session
from vintner_client._client import AsyncVintner
from vintner_client.errors import VintnerError

__all__ = ["AsyncVintner", "Session", "VintnerError", "errors", "models"]
