// What an ACL is, and the three ways to say one: canned, as headers, as XML.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
import { type Account, type Config, canonicalIdOf } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";

const PERMISSIONS = ["FULL_CONTROL", "READ", "WRITE", "READ_ACP", "WRITE_ACP"] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** To whom: an account's canonical id, or a group. */
export type Grant = { readonly permission: Permission } & (
  | { readonly id: string; readonly uri?: undefined }
  | { readonly uri: string; readonly id?: undefined }
);

const GROUPS = "http://acs.amazonaws.com/groups";
export const ALL_USERS = `${GROUPS}/global/AllUsers`;
export const AUTHENTICATED_USERS = `${GROUPS}/global/AuthenticatedUsers`;
export const LOG_DELIVERY = `${GROUPS}/s3/LogDelivery`;

/** Whoever does not sign, as the owner of what is written so (AWS's own id for it). */
const ANONYMOUS_ID = "65a011a29cdf8ec533ec3d1ccaae921c";
/** The account from which EC2 reads machine images. */
const EC2_ID = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c";

const MAX_GRANTS = 100;

export interface AclInput {
  readonly ACL?: string | undefined;
  readonly GrantFullControl?: string | undefined;
  readonly GrantRead?: string | undefined;
  readonly GrantReadACP?: string | undefined;
  readonly GrantWrite?: string | undefined;
  readonly GrantWriteACP?: string | undefined;
}

const HEADERS = {
  GrantFullControl: ["x-amz-grant-full-control", "FULL_CONTROL"],
  GrantRead: ["x-amz-grant-read", "READ"],
  GrantWrite: ["x-amz-grant-write", "WRITE"],
  GrantReadACP: ["x-amz-grant-read-acp", "READ_ACP"],
  GrantWriteACP: ["x-amz-grant-write-acp", "WRITE_ACP"],
} as const satisfies Record<string, readonly [string, Permission]>;

type Header = keyof typeof HEADERS;
const headers = Object.keys(HEADERS) as Header[];

/** Accounts by what ACLs call them: `owner` is the resource's, `bucketOwner` the bucket's. An account is `anonymous` where nobody signed. */
export interface Parties {
  readonly config: Config;
  readonly owner: string;
  readonly bucketOwner: string;
}

export const ANONYMOUS = "anonymous";
export const canonical = (config: Config, account: string): string =>
  account === ANONYMOUS ? ANONYMOUS_ID : canonicalIdOf(account, config.accounts);

export const ownersGrants = ({ config, owner }: Pick<Parties, "config" | "owner">): Grant[] => [
  { id: canonical(config, owner), permission: "FULL_CONTROL" },
];

const group = (uri: string, ...permissions: Permission[]): Grant[] =>
  permissions.map((permission) => ({ uri, permission }));

/** Besides the owner's full control. */
const CANNED: Readonly<Record<string, (of: Parties) => Grant[]>> = {
  private: () => [],
  "public-read": () => group(ALL_USERS, "READ"),
  "public-read-write": () => group(ALL_USERS, "READ", "WRITE"),
  "authenticated-read": () => group(AUTHENTICATED_USERS, "READ"),
  "aws-exec-read": () => [{ id: EC2_ID, permission: "READ" }],
  "bucket-owner-read": (of) => toBucketOwner(of, "READ"),
  "bucket-owner-full-control": (of) => toBucketOwner(of, "FULL_CONTROL"),
};
const OF_BUCKETS: typeof CANNED = {
  ...CANNED,
  "log-delivery-write": () => group(LOG_DELIVERY, "WRITE", "READ_ACP"),
};

const toBucketOwner = ({ config, owner, bucketOwner }: Parties, permission: Permission): Grant[] =>
  owner === bucketOwner ? [] : [{ id: canonical(config, bucketOwner), permission }];

/** Whether the request says an ACL in its headers. */
export const saysAcl = (input: AclInput): boolean => input.ACL !== undefined || saysGrants(input);
const saysGrants = (input: AclInput): boolean => headers.some((name) => input[name] !== undefined);

/** The grants of the headers; undefined where they say none. Throws InvalidRequest, InvalidArgument, UnresolvableGrantByEmailAddress. */
export function grantsOfHeaders(input: AclInput, parties: Parties, kind: "bucket" | "object"): Grant[] | undefined {
  const { ACL } = input;
  if (ACL !== undefined) {
    const canned = (kind === "bucket" ? OF_BUCKETS : CANNED)[ACL];
    if (!canned) throw errors.cannedAclUnknown(ACL);
    if (saysGrants(input)) throw errors.aclTwice();
    return [...ownersGrants(parties), ...canned(parties)];
  }
  if (!saysGrants(input)) return undefined;
  const grants = headers.flatMap((name) => {
    const value = input[name];
    return value === undefined ? [] : granteesOf(value, HEADERS[name], parties.config);
  });
  return limited(grants);
}

/** `id="...", uri="...", emailAddress="..."` */
function granteesOf(value: string, [header, permission]: (typeof HEADERS)[Header], config: Config): Grant[] {
  return value.split(",").map((one) => {
    const [, kind, quoted, plain] = /^\s*(id|uri|emailAddress)\s*=\s*(?:"([^"]*)"|([^"\s]*))\s*$/i.exec(one) ?? [];
    const name = quoted ?? plain ?? "";
    switch (kind?.toLowerCase()) {
      case "id":
        return { id: knownId(config, name, "id"), permission };
      case "uri":
        return { uri: knownGroup(name, "uri"), permission };
      case "emailaddress":
        return { id: idOfEmail(config, name), permission };
      default:
        throw errors.invalidArgument("Argument format not recognized", header, one.trim());
    }
  });
}

/** PutBucketAcl's and PutObjectAcl's body. */
export interface AclDocument {
  readonly Owner?: { readonly ID?: string | undefined } | undefined;
  readonly Grants?: readonly GivenGrant[] | undefined;
}

interface GivenGrant {
  readonly Permission?: string | undefined;
  readonly Grantee?:
    | { readonly Type?: string; readonly ID?: string; readonly URI?: string; readonly EmailAddress?: string }
    | undefined;
}

/** Throws MalformedACLError, InvalidArgument, UnresolvableGrantByEmailAddress, and AccessDenied where it names another owner. */
export function grantsOfDocument({ Owner, Grants }: AclDocument, { config, owner }: Parties): Grant[] {
  if (Owner?.ID === undefined || !Grants) throw errors.malformedAcl();
  if (knownId(config, Owner.ID, "CanonicalUser/ID") !== canonical(config, owner)) throw errors.accessDenied();
  return limited(Grants.map((grant) => grantOf(grant, config)));
}

function grantOf({ Permission, Grantee }: GivenGrant, config: Config): Grant {
  const permission = PERMISSIONS.find((one) => one === Permission);
  if (!permission || !Grantee) throw errors.malformedAcl();
  const { Type, ID, URI, EmailAddress } = Grantee;
  if (Type === "CanonicalUser" && ID !== undefined) return { id: knownId(config, ID, "CanonicalUser/ID"), permission };
  if (Type === "Group" && URI !== undefined) return { uri: knownGroup(URI, "Group/URI"), permission };
  if (Type === "AmazonCustomerByEmail" && EmailAddress !== undefined)
    return { id: idOfEmail(config, EmailAddress), permission };
  throw errors.malformedAcl();
}

function limited(grants: Grant[]): Grant[] {
  if (grants.length > MAX_GRANTS) throw errors.malformedAcl();
  return grants;
}

/** An id is the accounts file's, or made of an account's number. */
function knownId({ accounts }: Config, id: string, argument: string): string {
  const known = /^0{52}\d{12}$/.test(id) || [ANONYMOUS_ID, EC2_ID].includes(id) || accounts.some(isCalled(id));
  if (!known) throw errors.invalidArgument("Invalid id", argument, id);
  return id;
}

const isCalled =
  (id: string) =>
  ({ canonicalId }: Account): boolean =>
    canonicalId === id;

function knownGroup(uri: string, argument: string): string {
  if (![ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY].includes(uri))
    throw errors.invalidArgument("Invalid group uri", argument, uri);
  return uri;
}

function idOfEmail(config: Config, email: string): string {
  const found = config.accounts.find((account) => account.email?.toLowerCase() === email.toLowerCase());
  if (!found) throw errors.unresolvableEmail(email);
  return canonical(config, found.id);
}

/** To everyone, or to everyone who has any account of AWS's. */
export const isPublicGrant = ({ uri }: Grant): boolean => uri === ALL_USERS || uri === AUTHENTICATED_USERS;

/** The `acl` column; null: the owner's alone. */
export const grantsIn = (acl: string | null, of: Pick<Parties, "config" | "owner">): readonly Grant[] =>
  acl === null ? ownersGrants(of) : (JSON.parse(acl) as Grant[]);
