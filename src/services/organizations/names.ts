// Ids and ARNs, in AWS's forms.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_arn-formats.html
import { type Arn, chance, newToken } from "../../kernel/mod.ts";
import type { OrganizationRow } from "./tables.ts";

export const newId = (prefix: string, length: number): string => `${prefix}-${newToken(length).toLowerCase()}`;

/** 12 digits that begin with none of the accounts people choose by hand. */
export const newAccount = (): string => String(Math.floor((1 + 9 * chance()) * 1e11));

/** The policy that allows everything: AWS's own, in every organization. */
export const FULL_ACCESS = "p-FullAWSAccess";

/** Of a root, an OU, an account, a policy or an invitation: the id says which. */
export function arnOf({ id: organization, management }: Pick<OrganizationRow, "id" | "management">, id: string): Arn {
  if (id === FULL_ACCESS) return `arn:aws:organizations::aws:policy/service_control_policy/${id}`;
  const type = id.startsWith("r-")
    ? "root"
    : id.startsWith("ou-")
      ? "ou"
      : id.startsWith("p-")
        ? "policy"
        : id.startsWith("h-")
          ? "handshake"
          : "account";
  const kind = { policy: "service_control_policy/", handshake: "invite/" }[type as string] ?? "";
  return `arn:aws:organizations::${management}:${type}/${organization}/${kind}${id}`;
}

/** What an account or unit hangs from. */
export const parentType = (id: string): "ROOT" | "ORGANIZATIONAL_UNIT" =>
  id.startsWith("r-") ? "ROOT" : "ORGANIZATIONAL_UNIT";

/** The last part of such an ARN. */
export const idOf = (arn: Arn): string => arn.slice(arn.lastIndexOf("/") + 1);
