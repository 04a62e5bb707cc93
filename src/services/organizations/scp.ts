// The one kind of policies that there is here, and AWS's own of it.
import { errors } from "./errors.ts";
import { FULL_ACCESS } from "./names.ts";
import type { PolicyRow } from "./tables.ts";

export const SCP = "SERVICE_CONTROL_POLICY" as const;

/** The condition key of every operation on a policy. */
export const ofType = { "organizations:PolicyType": SCP };

/** Kinds of policies that we do not have are refused by name. */
export function onlyScps(type: string | undefined): void {
  if (type !== SCP) throw errors.notImplemented(`policies of type ${type}`);
}

/** AWS's own: everything that is not denied elsewhere. */
export const fullAccess = (organization: string): PolicyRow => ({
  id: FULL_ACCESS,
  organization_id: organization,
  name: "FullAWSAccess",
  description: "Allows access to every operation",
  content: `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
}`,
});
