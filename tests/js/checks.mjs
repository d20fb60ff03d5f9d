// What supabase-js says in ordinary use. Each check makes users and rows of its own.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const { PACKAGES, API_URL, SHORT_URL, PUBLISHABLE_KEY, SECRET_KEY, SHORT_KEY } = process.env;
const { createClient } = createRequire(join(PACKAGES, "package.json"))("@supabase/supabase-js");

const PASSWORD = "correct horse battery";
const PATIENCE = 10_000;

async function until(condition) {
  const deadline = Date.now() + PATIENCE;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`never: ${condition}`);
    await sleep(20);
  }
}

// Runs a check with clients that are closed afterwards.
function check(name, body) {
  it(name, { timeout: 30_000 }, async () => {
    const opened = [];
    const client = (url = API_URL, key = PUBLISHABLE_KEY) => {
      opened.push(createClient(url, key, { auth: { persistSession: false } }));
      return opened.at(-1);
    };
    try {
      await body(client);
    } finally {
      for (const each of opened) {
        await each.auth.stopAutoRefresh();
        await each.removeAllChannels();
        each.realtime.disconnect();
      }
    }
  });
}

function good({ data, error, ...rest }) {
  assert.equal(error, null);
  return { data, ...rest };
}

async function signUp(client) {
  const email = `${randomUUID()}@example.com`;
  const { data } = good(await client.auth.signUp({ email, password: PASSWORD }));
  assert.ok(data.session.access_token);
  return { id: data.user.id, email, session: data.session };
}

// Subscribes; resolves once changes will arrive.
async function subscribed(channel, { changes = false } = {}) {
  let ready = !changes;
  channel.on("system", {}, ({ message }) => {
    ready ||= message === "Subscribed to PostgreSQL";
  });
  let state;
  channel.subscribe((now) => {
    state = now;
  });
  await until(() => state === "SUBSCRIBED" && ready);
}

describe("supabase-js", { concurrency: 4 }, () => {
  check("signs up, out and in", async (client) => {
    const ann = client();
    const { id, email } = await signUp(ann);
    good(await ann.auth.signOut());
    assert.equal((await ann.auth.getSession()).data.session, null);
    const wrong = await ann.auth.signInWithPassword({ email, password: "wrong" });
    assert.deepEqual([wrong.error.status, wrong.error.code], [400, "invalid_credentials"]);
    const { data } = good(await ann.auth.signInWithPassword({ email, password: PASSWORD }));
    assert.equal(data.user.id, id);
    const twice = await client().auth.signUp({ email, password: PASSWORD });
    assert.equal(twice.error.code, "user_already_exists");
    const weak = await client().auth.signUp({ email: `${randomUUID()}@example.com`, password: "a" });
    assert.equal(weak.error.code, "weak_password");
  });

  check("updates the user", async (client) => {
    const ann = client();
    const { id, email } = await signUp(ann);
    const { data } = good(await ann.auth.updateUser({ data: { name: "Vera" }, password: "new one!" }));
    assert.equal(data.user.user_metadata.name, "Vera");
    const { data: found } = good(await ann.auth.getUser());
    assert.deepEqual([found.user.id, found.user.user_metadata.name], [id, "Vera"]);
    good(await client().auth.signInWithPassword({ email, password: "new one!" }));
    const { data: claims } = good(await ann.auth.getClaims());
    assert.equal(claims.claims.sub, id);
  });

  check("refreshes and takes over a session", async (client) => {
    const ann = client();
    const { id, session } = await signUp(ann);
    const { data } = good(await ann.auth.refreshSession());
    assert.notEqual(data.session.refresh_token, session.refresh_token);
    const other = client();
    const { access_token, refresh_token } = data.session;
    good(await other.auth.setSession({ access_token, refresh_token }));
    assert.equal(good(await other.rpc("whoami")).data, id);
    const bad = await client().auth.refreshSession({ refresh_token: "nothing" });
    assert.equal(bad.error.code, "refresh_token_not_found");
  });

  check("administers users with the secret key", async (client) => {
    const admin = client(API_URL, SECRET_KEY).auth.admin;
    const email = `${randomUUID()}@example.com`;
    const { data } = good(await admin.createUser({ email, password: PASSWORD, email_confirm: true }));
    good(await client().auth.signInWithPassword({ email, password: PASSWORD }));
    good(await admin.deleteUser(data.user.id));
    const gone = await client().auth.signInWithPassword({ email, password: PASSWORD });
    assert.equal(gone.error.code, "invalid_credentials");
  });

  check("keeps a 5 s session alive, live changes too", async (client) => {
    const ann = client(SHORT_URL, SHORT_KEY);
    const { id, session } = await signUp(ann);
    const heard = [];
    const channel = ann
      .channel("mine")
      .on("postgres_changes", { event: "*", schema: "public", table: "notes" }, (e) => heard.push(e));
    await subscribed(channel, { changes: true });
    await sleep(2500);
    good(await ann.auth.refreshSession());
    await sleep(session.expires_at * 1000 + 500 - Date.now());
    assert.equal((await ann.auth.getUser(session.access_token)).error.code, "bad_jwt");
    assert.equal(good(await ann.rpc("whoami")).data, id);
    good(await ann.from("notes").insert({ number: 1 }));
    await until(() => heard.length === 1);
    assert.equal(heard[0].new.owner, id);
  });

  check("writes and reads rows", async (client) => {
    const db = client();
    const tag = randomUUID();
    const { data: made, status } = good(
      await db.from("authors").insert([{ name: `a ${tag}` }, { name: `b ${tag}` }]).select(),
    );
    assert.equal(status, 201);
    const [a, b] = made.map(({ id }) => id);
    const rows = Array.from({ length: 10 }, (_, n) => ({
      author_id: a,
      title: `t${n}`,
      year: 2000 + n,
      tags: ["x", `n${n}`],
    }));
    assert.equal(good(await db.from("books").insert(rows)).data, null);
    good(await db.from("books").insert({ author_id: b, title: "b, (c)", meta: { k: [1] } }));

    const page = good(
      await db
        .from("books")
        .select("title, author:authors(name)", { count: "exact" })
        .eq("author_id", a)
        .gte("year", 2003)
        .order("year", { ascending: false })
        .range(1, 2),
    );
    assert.deepEqual(page.data, [
      { title: "t8", author: { name: `a ${tag}` } },
      { title: "t7", author: { name: `a ${tag}` } },
    ]);
    assert.deepEqual([page.count, page.status], [7, 206]);
    const nested = good(
      await db
        .from("authors")
        .select("name, books!inner(title)")
        .eq("id", a)
        .gt("books.year", 2001)
        .order("year", { referencedTable: "books", ascending: false })
        .limit(2, { referencedTable: "books" })
        .single(),
    );
    assert.deepEqual(nested.data.books, [{ title: "t9" }, { title: "t8" }]);
    const titles = async (query) => good(await query.order("title")).data.map(({ title }) => title);
    const mine = () => db.from("books").select("title").in("author_id", [a, b]);
    assert.deepEqual(await titles(mine().or("title.eq.t1,and(year.gt.2007,year.lt.2009)")), ["t1", "t8"]);
    assert.deepEqual(await titles(mine().in("title", ["b, (c)", "t3"])), ["b, (c)", "t3"]);
    assert.deepEqual(await titles(mine().contains("tags", ["n4"])), ["t4"]);
    assert.deepEqual(await titles(mine().ilike("title", "B%")), ["b, (c)"]);
    assert.deepEqual(await titles(mine().is("year", null)), ["b, (c)"]);
    assert.deepEqual(await titles(mine().not("year", "is", null).lt("year", 2002)), ["t0", "t1"]);
    assert.deepEqual(await titles(mine().eq("meta->k->>0", "1")), ["b, (c)"]);
    assert.deepEqual(await titles(mine().match({ title: "t5", year: 2005 })), ["t5"]);

    const counted = db.from("books").select("*", { count: "exact", head: true });
    const head = good(await counted.in("author_id", [a, b]));
    assert.deepEqual([head.data, head.count], [null, 11]);
    assert.equal(good(await mine().eq("title", "none").maybeSingle()).data, null);
    const none = await mine().eq("title", "none").single();
    assert.deepEqual([none.status, none.error.code], [406, "PGRST116"]);

    const changed = await db.from("books").update({ year: 1 }).eq("author_id", b).select("year");
    assert.deepEqual(good(changed).data, [{ year: 1 }]);
    const put = [{ id: a, name: `A ${tag}` }, { id: b, name: `b ${tag}` }];
    assert.deepEqual(good(await db.from("authors").upsert(put).select()).data, put);
    const kept = await db
      .from("authors")
      .upsert({ name: `b ${tag}` }, { onConflict: "name", ignoreDuplicates: true })
      .select();
    assert.deepEqual(good(kept).data, []);
    const taken = await db.from("authors").insert({ name: `b ${tag}` });
    assert.deepEqual([taken.status, taken.error.code], [409, "23505"]);
    const gone = good(await db.from("authors").delete({ count: "exact" }).in("id", [a, b]));
    assert.deepEqual([gone.status, gone.count], [204, 2]);
    assert.deepEqual(good(await mine()).data, []);
  });

  check("is told that CSV is not there", async (client) => {
    const { error, status } = await client().from("authors").select().csv();
    assert.equal(status, 501);
    assert.match(error.message, /CSV/);
    assert.match(error.hint, /supabase start/);
  });

  check("calls functions", async (client) => {
    const db = client();
    assert.equal(good(await db.rpc("add", { a: 2, b: 3 })).data, 5);
    assert.equal(good(await db.rpc("add", { a: 2, b: 3 }, { get: true })).data, 5);
    const name = randomUUID();
    const { data: author } = good(await db.from("authors").insert({ name }).select("id").single());
    good(await db.from("books").insert([1, 2, 3].map((n) => ({ author_id: author.id, title: `${n}` }))));
    const some = db.rpc("books_of", { author: name }, { count: "exact" }).select("title");
    const { data, count } = good(await some.order("title", { ascending: false }).limit(2));
    assert.deepEqual([data, count], [[{ title: "3" }, { title: "2" }], 3]);
    const { status, error } = await db.rpc("refuse");
    assert.equal(status, 409);
    assert.deepEqual({ ...error }, {
      code: "PT409",
      message: "the shop is closed",
      details: "until nine",
      hint: "wait",
    });
    assert.equal((await db.rpc("nothing_of_that_name")).error.code, "PGRST202");
    assert.equal((await db.rpc("announce", { topic: "a", event: "b", payload: {} })).error.code, "42501");
  });

  check("sees rows of its own user alone", async (client) => {
    const [ann, bob] = [client(), client()];
    const { id } = await signUp(ann);
    await signUp(bob);
    good(await ann.from("notes").insert({ number: 7 }));
    assert.equal(good(await ann.from("notes").select("owner")).data[0].owner, id);
    assert.deepEqual(good(await bob.from("notes").select()).data, []);
    const forged = await bob.from("notes").insert({ number: 8, owner: id });
    assert.deepEqual([forged.status, forged.error.code], [403, "42501"]);
  });

  check("hears of its own changes that match a filter", async (client) => {
    const [ann, bob] = [client(), client()];
    const { id } = await signUp(ann);
    await signUp(bob);
    const [heard, removed] = [[], []];
    const on = { schema: "public", table: "notes" };
    const channel = ann
      .channel("notes")
      .on("postgres_changes", { ...on, event: "*", filter: "number=gt.1" }, (e) => heard.push(e))
      .on("postgres_changes", { ...on, event: "UPDATE" }, (e) => removed.push(e));
    await subscribed(channel, { changes: true });
    for (const number of [1, 2, 3]) {
      good(await bob.from("notes").insert({ number }));
      good(await ann.from("notes").insert({ number, body: "x" }));
    }
    good(await ann.from("notes").update({ body: "y" }).eq("number", 2));
    await until(() => heard.length === 3 && removed.length === 1);
    const seen = heard.map((e) => [e.eventType, e.new.number, e.new.owner]);
    assert.deepEqual(seen, [["INSERT", 2, id], ["INSERT", 3, id], ["UPDATE", 2, id]]);
    assert.equal(removed[0].new.body, "y");
    assert.deepEqual(heard[0].errors, null);
  });

  check("talks to other clients", async (client) => {
    const topic = randomUUID();
    const [toAnn, toBob] = [[], []];
    const ann = client().channel(topic, { config: { broadcast: { self: true, ack: true } } });
    const bob = client().channel(topic);
    await subscribed(ann.on("broadcast", { event: "said" }, ({ payload }) => toAnn.push(payload)));
    await subscribed(bob.on("broadcast", { event: "*" }, ({ payload }) => toBob.push(payload)));
    assert.equal(await ann.send({ type: "broadcast", event: "said", payload: { n: 1 } }), "ok");
    assert.equal(await bob.send({ type: "broadcast", event: "said", payload: { n: 2 } }), "ok");
    await until(() => toAnn.length === 2 && toBob.length === 1);
    assert.deepEqual([toAnn, toBob], [[{ n: 1 }, { n: 2 }], [{ n: 1 }]]);
    const unjoined = client().channel(topic);
    assert.equal((await unjoined.httpSend("said", { n: 3 })).success, true);
    await until(() => toAnn.length === 3 && toBob.length === 2);
    assert.equal(toBob[1].n, 3);
    await unjoined.httpSend("bytes", new Uint8Array([1, 2, 255]));
    await until(() => toBob.length === 3);
    assert.deepEqual([...new Uint8Array(toBob[2])], [1, 2, 255]);
  });

  check("hears the database on a private channel", async (client) => {
    const [ann, bob] = [client(), client()];
    const { id } = await signUp(ann);
    await signUp(bob);
    const config = { private: true };
    const heard = [];
    const channel = ann.channel(`user:${id}`, { config });
    await subscribed(channel.on("broadcast", { event: "log" }, ({ payload }) => heard.push(payload)));
    let refusal;
    bob.channel(`user:${id}`, { config }).subscribe((state, error) => {
      if (state === "CHANNEL_ERROR") refusal ??= error.message;
    });
    await until(() => refusal);
    assert.match(refusal, /Unauthorized/);
    const unheard = bob.channel(`user:${id}`, { config }).httpSend("log", { n: 0 });
    await assert.rejects(unheard, /Unauthorized/);
    const service = client(API_URL, SECRET_KEY);
    const said = { topic: `user:${id}`, event: "log", payload: { n: 1 } };
    good(await service.rpc("announce", said));
    await until(() => heard.length === 1);
    assert.equal(heard[0].n, 1);
  });

  check("shares presence", async (client) => {
    const topic = randomUUID();
    const [ann, bob] = ["ann", "bob"].map((key) => client().channel(topic, { config: { presence: { key } } }));
    for (const channel of [ann, bob]) {
      channel.on("presence", { event: "sync" }, () => {});
      await subscribed(channel);
    }
    await ann.track({ at: 1 });
    await bob.track({ at: 2 });
    const present = () => Object.keys(bob.presenceState()).sort().join();
    await until(() => present() === "ann,bob");
    assert.equal(bob.presenceState().ann[0].at, 1);
    await ann.untrack();
    await until(() => present() === "bob");
  });
});
