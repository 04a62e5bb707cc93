// An organization of a test's own.
import {
  CreateAccountCommand,
  CreateOrganizationCommand,
  DescribeCreateAccountStatusCommand,
  ListRootsCommand,
  type OrganizationsClient,
} from "@aws-sdk/client-organizations";
import type { TestCloud } from "./cloud.ts";

export async function organized(client: OrganizationsClient): Promise<{ id: string; root: string }> {
  const { Organization } = await client.send(new CreateOrganizationCommand());
  return { id: Organization!.Id!, root: await rootOf(client) };
}

export const rootOf = async (client: OrganizationsClient): Promise<string> =>
  (await client.send(new ListRootsCommand())).Roots![0]!.Id!;

/** A member account, made by the management account. */
export async function accountOf(cloud: TestCloud, client: OrganizationsClient, name: string): Promise<string> {
  const asked = { AccountName: name, Email: `${name}@corp.example` };
  const { CreateAccountStatus } = await client.send(new CreateAccountCommand(asked));
  await cloud.settle();
  const CreateAccountRequestId = CreateAccountStatus!.Id!;
  const done = await client.send(new DescribeCreateAccountStatusCommand({ CreateAccountRequestId }));
  return done.CreateAccountStatus!.AccountId!;
}
