// Time zones: what the clock on a wall shows at an instant, and when it shows that. The zones and their rules are those of Intl.

/** Instants in ms since the epoch; a wall's time as the instant at which a wall in UTC would show it. */
export interface Instants {
  wallOf(instant: number): number;
  /** The first of two, where the clocks are put back; undefined where they are put forward past it. */
  instantOf(wall: number): number | undefined;
}

export const UTC: Instants = { wallOf: (instant) => instant, instantOf: (wall) => wall };

const DAY_MS = 86_400_000;
/** Made once for each zone: a formatter is slow to make, and there are few hundred zones. */
const known = new Map<string, Instants>();

/** By IANA's name; undefined where there is none such. */
export function findZone(name: string): Instants | undefined {
  if (name === "UTC") return UTC;
  const there = known.get(name);
  if (there) return there;
  const format = formatOf(name);
  if (!format) return undefined;
  const zone = instantsOf(format);
  known.set(name, zone);
  return zone;
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  if (!/^[A-Za-z]/.test(timeZone)) return undefined; // Intl knows offsets too: AWS does not
  const numeric = "numeric";
  const parts = {
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  } as const;
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", calendar: "iso8601", ...parts });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function instantsOf(format: Intl.DateTimeFormat): Instants {
  const wallOf = (instant: number) => {
    const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    const { year, month, day, hour, minute, second } = parts as Record<string, number>;
    return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) + (((instant % 1000) + 1000) % 1000);
  };
  return {
    wallOf,
    instantOf(wall) {
      // The clocks are not put twice in two days: it is one of the two offsets.
      const offsets = [wall - DAY_MS, wall + DAY_MS].map((near) => wallOf(near) - near);
      const instants = offsets.map((offset) => wall - offset).filter((instant) => wallOf(instant) === wall);
      return instants.length > 0 ? Math.min(...instants) : undefined;
    },
  };
}
