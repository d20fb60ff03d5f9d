// Follows a job's log with supabase-js, by broadcast and by changes of the table, until its input
// ends. What it is told comes as one line of JSON; it says "ready", and then each chunk it is sent.

import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const { createClient } = createRequire(join(process.env.PACKAGES, "package.json"))("@supabase/supabase-js");

const input = createInterface({ input: process.stdin });
const [orders] = await once(input, "line");
const { url, key, email, password, job_id } = JSON.parse(orders);
const say = (what) => console.log(JSON.stringify(what));
const pick = (way, { seq, log_chunk, stream_type, created_at }) =>
  say({ way, seq, log_chunk, stream_type, created_at });

const client = createClient(url, key, { auth: { persistSession: false } });
const { error } = await client.auth.signInWithPassword({ email, password });
if (error) throw error;

const waiting = new Set(["broadcast", "changes"]);
const done = (way) => waiting.delete(way) && waiting.size === 0 && say("ready");
client
  .channel(`job:${job_id}`, { config: { private: true } })
  .on("broadcast", { event: "log" }, ({ payload }) => payload.chunks.forEach((chunk) => pick("broadcast", chunk)))
  .subscribe((state) => state === "SUBSCRIBED" && done("broadcast"));
client
  .channel("changes")
  .on(
    "postgres_changes",
    { event: "INSERT", schema: "public", table: "provision_job_logs", filter: `job_id=eq.${job_id}` },
    (change) => pick("changes", change.new),
  )
  .on("system", {}, ({ message }) => message === "Subscribed to PostgreSQL" && done("changes"))
  .subscribe();

input.on("close", async () => {
  await client.removeAllChannels();
  await client.auth.stopAutoRefresh();
  process.exit(0);
});
