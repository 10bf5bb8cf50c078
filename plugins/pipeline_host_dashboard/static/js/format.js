/** Times and sizes as people read them. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let offset = 0;

/** Tells what time it is on the server, in milliseconds since 1970. */
export function setServerTime(milliseconds) {
  offset = milliseconds - Date.now();
}

/** Now, by the server's clock as far as it is known, in milliseconds since 1970. */
export function now() {
  return Date.now() + offset;
}

/** A time span, such as `< 1s`, `45s`, `2m 34s`, `1h 5m`, `3d 4h`. */
export function duration(milliseconds) {
  const ms = Math.max(0, milliseconds);
  if (ms < SECOND) return "< 1s";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m ${Math.floor((ms % MINUTE) / SECOND)}s`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}h ${Math.floor((ms % HOUR) / MINUTE)}m`;
  return `${Math.floor(ms / DAY)}d ${Math.floor((ms % DAY) / HOUR)}h`;
}

/** How long a process took, or takes so far. */
export function elapsed(process) {
  const end = process.endTime ? Date.parse(process.endTime) : now();
  return duration(end - Date.parse(process.startTime));
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const day = new Intl.DateTimeFormat(undefined, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});
const year = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "numeric",
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** A moment in short: the time today, the day with it this year, else the date. */
export function time(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return String(iso ?? "");
  const today = new Date(now());
  if (date.toDateString() === today.toDateString()) return clock.format(date);
  return date.getFullYear() === today.getFullYear() ? day.format(date) : year.format(date);
}

/** A moment in full, for titles. */
export function fullTime(iso) {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? String(iso ?? "") : full.format(date);
}

/** How long ago a moment was: `just now`, `3 min ago`, `2 h ago`, `5 days ago`. */
export function ago(iso) {
  const ms = now() - Date.parse(iso);
  if (Number.isNaN(ms)) return "";
  if (ms < MINUTE) return "just now";
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ago`;
  return `${Math.floor(ms / DAY)} days ago`;
}

/** A size, such as `812 B`, `3.4 kB`, `1.2 MB`. */
export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = count / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

const grouped = new Intl.NumberFormat("en");

/** A number with its thousands apart. */
export function count(number) {
  return grouped.format(number);
}
