// Numbers, times and names as people read them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

/** Time of day, with the day where it is not today. */
export function clockTime(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const date = new Date(seconds * 1000);
  const today = new Date().toDateString() === date.toDateString();
  return today ? clock.format(date) : `${day.format(date)} ${minute.format(date)}`;
}

export function minuteTime(seconds) {
  return minute.format(new Date(seconds * 1000));
}

export function fullTime(seconds) {
  return full.format(new Date(seconds * 1000));
}

/** A length of time in at most two units: "4 s", "3 min 20 s", "5 h 12 min". */
export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const value = Math.max(0, seconds);
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.round(value);
  const first = units.findIndex(([, size]) => rest >= size);
  const parts = [];
  for (const [unit, size] of units.slice(first, first + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count) parts.push(`${count} ${unit}`);
  }
  return parts.join(" ");
}

/** "3 min ago" and the like; coarse, because it is looked at and not calculated with. */
export function ago(seconds, now) {
  const passed = now - seconds;
  if (passed < 1.5) return "just now";
  if (passed < 90) return `${Math.round(passed)} s ago`;
  if (passed < 5400) return `${Math.round(passed / 60)} min ago`;
  if (passed < 129600) return `${Math.round(passed / 3600)} h ago`;
  return `${Math.round(passed / 86400)} days ago`;
}

/** A number with three meaningful digits; what JSON cannot say ("NaN", "+Inf") stays as it is. */
export function number(value) {
  if (typeof value !== "number") return String(value ?? "–");
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e15 || size < 1e-4) return value.toExponential(2);
  if (size >= 1000) return value.toLocaleString(undefined, { maximumFractionDigits: 0 });
  return String(Number(value.toPrecision(3)));
}

function scaled(value, units, step) {
  let size = value;
  let index = 0;
  while (Math.abs(size) >= step * 0.9995 && index < units.length - 1) {
    size /= step;
    index += 1;
  }
  const digits = Math.abs(size) < 9.95 && (index > 0 || !Number.isInteger(size)) ? 1 : 0;
  return `${size.toFixed(digits)} ${units[index]}`;
}

/** Units of the charts: how a value, and a tick of the axis, is written. */
export const UNITS = {
  percent: (value) => `${value < 9.95 && value > 0 ? value.toFixed(1) : value.toFixed(0)} %`,
  ratio: (value) => UNITS.percent(value * 100),
  bytes_per_second: (value) => scaled(value, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"], 1000),
  per_second: (value) => `${number(value)}/s`,
  seconds: (value) => (value === 0 ? "0 s" : value < 1 ? `${number(value * 1000)} ms` : `${number(value)} s`),
  number,
};

export function plural(count, word) {
  return `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;
}

/** "shop / production", of anything that names a service and perhaps an environment. */
export function serviceName(named) {
  return [named.service, named.environment].filter(Boolean).join(" / ");
}

export function capital(text) {
  const value = String(text ?? "");
  return value.charAt(0).toUpperCase() + value.slice(1);
}
