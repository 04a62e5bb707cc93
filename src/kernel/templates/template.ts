// Templates with values in angle brackets: JSON where a value stands by itself, text where it stands within quotes.

export interface Filling {
  /** Global, with one group: the name. */
  readonly placeholder: RegExp;
  /** Undefined: it leads nowhere, and is an empty text. */
  readonly value: (name: string) => unknown;
  /** How a value that is no text is written within quotes. */
  readonly quoted: (value: unknown) => string;
}

export function filled(template: string, { placeholder, value, quoted }: Filling): string {
  const within = quotedAt(template);
  return template.replace(placeholder, (_, name: string, at: number) => {
    const found = value(name) ?? "";
    if (!within(at)) return JSON.stringify(found);
    return typeof found === "string" ? JSON.stringify(found).slice(1, -1) : quoted(found);
  });
}

/** Whether a place of the template is within a JSON text. */
function quotedAt(template: string): (at: number) => boolean {
  const inside: boolean[] = [];
  let open = false;
  for (let at = 0; at < template.length; at++) {
    const char = template[at];
    if (open && char === "\\") {
      inside[at] = true;
      at++;
    } else if (char === '"') open = !open;
    inside[at] = open;
  }
  return (at) => inside[at] === true;
}
