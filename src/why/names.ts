// Principals in words, and whether a name means one.

export interface Named {
  readonly kind: "root" | "user" | "role" | "session" | "federated" | "other";
  readonly account: string;
  /** Without its path. */
  readonly name: string;
  /** A session's or a federated user's own name. */
  readonly session?: string;
}

const ARN = /^arn:[^:]+:(iam|sts)::(\d{12}):(root$|user\/|role\/|assumed-role\/|federated-user\/)(.*)$/;

export function named(principal: string): Named {
  const [, , account, kind, rest] = ARN.exec(principal) ?? [];
  if (account === undefined || rest === undefined) return { kind: "other", account: "", name: principal };
  const last = rest.slice(rest.lastIndexOf("/") + 1);
  switch (kind) {
    case "root":
      return { kind: "root", account, name: "root" };
    case "user/":
      return { kind: "user", account, name: last };
    case "role/":
      return { kind: "role", account, name: last };
    case "federated-user/":
      return { kind: "federated", account, name: rest, session: rest };
    default:
      return { kind: "session", account, name: rest.split("/")[0]!, session: last };
  }
}

/** `user alice of account 000000000000`, `session s of role r of account ...`, `lambda.amazonaws.com`. */
export function inWords(principal: string): string {
  const { kind, account, name, session } = named(principal);
  if (kind === "other") return principal === "anonymous" ? "nobody: the request was not signed" : principal;
  const of = `of account ${account}`;
  if (kind === "root") return `root ${of}`;
  if (kind === "session") return `session ${session} of role ${name} ${of}`;
  return kind === "federated" ? `federated user ${name} ${of}` : `${kind} ${name} ${of}`;
}

/** `query` is the ARN or the name of the principal, or of the user or role whose policies it has. */
export function means(query: string, of: { principal: string; holder?: string | undefined }): boolean {
  return [of.principal, of.holder ?? of.principal].some((arn) => {
    const { name, session } = named(arn);
    return (
      query === arn ||
      query === name ||
      (session !== undefined && (query === session || query === `${name}/${session}`))
    );
  });
}
