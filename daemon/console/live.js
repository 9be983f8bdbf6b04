// The line to the daemon: the live overview, and questions asked of the API.

const API = "/api/watchkeeper/v1/";
const SILENCE_MS = 40_000;

let skewSeconds = 0;

/** The daemon's time in Unix seconds: this machine's clock may go differently. */
export function now() {
  return Date.now() / 1000 + skewSeconds;
}

/** Calls `onOverview` with each new overview and `onLink` with "live" or "lost". Reconnects by itself. */
export function follow(onOverview, onLink) {
  let source = null;
  let lastHeard = Date.now();
  let retryAt = null;

  function open() {
    source?.close();
    source = new EventSource(`${API}stream`);
    source.addEventListener("overview", (event) => {
      lastHeard = Date.now();
      const overview = JSON.parse(event.data);
      skewSeconds = overview.now - Date.now() / 1000;
      onLink("live");
      onOverview(overview);
    });
    source.addEventListener("still_here", () => {
      lastHeard = Date.now();
    });
    source.addEventListener("error", () => {
      onLink("lost");
      if (source.readyState === EventSource.CLOSED) retryAt = Date.now() + 3000;
    });
  }

  // An EventSource gives up after an HTTP error, and never notices a line that went silent (a suspended laptop).
  setInterval(() => {
    const silent = Date.now() - lastHeard > SILENCE_MS;
    if (silent) onLink("lost");
    if ((retryAt !== null && Date.now() >= retryAt) || silent) {
      retryAt = null;
      lastHeard = Date.now();
      open();
    }
  }, 1000);
  open();
}

/** An answer that says no: `message` and `remedy` are for people. */
export class Refused extends Error {
  constructor(message, remedy) {
    super(message);
    this.remedy = remedy;
  }
}

export async function get(path, parameters) {
  const query = parameters ? `?${new URLSearchParams(parameters)}` : "";
  return answer(fetch(`${full(path)}${query}`));
}

export async function post(path, body) {
  return answer(fetch(full(path), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) }));
}

export async function remove(path) {
  return answer(fetch(full(path), { method: "DELETE" }));
}

/** A path of our own API, or one that begins with a slash as it is. */
function full(path) {
  return path.startsWith("/") ? path : `${API}${path}`;
}

async function answer(promise) {
  let response;
  try {
    response = await promise;
  } catch {
    throw new Refused("the daemon does not answer", "try again when it is back");
  }
  const document = await response.json().catch(() => ({}));
  if (response.ok) return document;
  if (typeof document === "string") throw new Refused(document, "");
  if (typeof document.error === "string") throw new Refused(document.error, "");
  throw new Refused(document.error?.message ?? document.message ?? `the daemon answered ${response.status}`, document.error?.remedy ?? "");
}

/** Evaluate an expression over the last `seconds`; returns [{labels, points}] with numbers, NaN and Infinity. */
export async function range(query, { start, end, step }) {
  const { data } = await get("query_range", { query, start, end, step });
  return data.result.map(({ metric, values }) => ({ labels: metric, points: values.map(([time, text]) => [time, toNumber(text)]) }));
}

function toNumber(text) {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}
