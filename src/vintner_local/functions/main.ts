// Runs one Edge Function: `main.ts FILE_URL`. The environment says where Deno.serve listens. As on
// the platform, a function may also export an object with `fetch`, and hand work to EdgeRuntime
// that goes on after the answer.

Object.assign(globalThis, {
  EdgeRuntime: {
    waitUntil(work: Promise<unknown>) {
      work.catch((error) => console.error(error));
    },
  },
});

const { default: exported } = await import(Deno.args[0]);
if (typeof exported?.fetch === "function") {
  Deno.serve((request) => exported.fetch(request));
}
