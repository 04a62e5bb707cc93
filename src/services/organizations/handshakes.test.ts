import assert from "node:assert/strict";
import { test } from "node:test";
import { IAMClient, ListUsersCommand } from "@aws-sdk/client-iam";
import {
  AcceptHandshakeCommand,
  AttachPolicyCommand,
  CancelHandshakeCommand,
  CreateOrganizationCommand,
  CreatePolicyCommand,
  DeclineHandshakeCommand,
  DescribeAccountCommand,
  DescribeHandshakeCommand,
  InviteAccountToOrganizationCommand,
  LeaveOrganizationCommand,
  ListHandshakesForAccountCommand,
  ListHandshakesForOrganizationCommand,
  ListTagsForResourceCommand,
  OrganizationsClient,
} from "@aws-sdk/client-organizations";
import { startCloud } from "../../../test/cloud.ts";
import { organized } from "../../../test/organizations.ts";
import { policy, refusal } from "../../../test/principals.ts";

const DAY = 24 * 3600_000;
const GUEST = "222222222222";
const START = {
  accounts: [
    {
      id: GUEST,
      name: "guest",
      email: "guest@corp.example",
      accessKeyId: "guestroot",
      secretAccessKey: "guest-secret",
    },
  ],
};

test("an account that is invited by its address sees who asks, accepts, is a member, is bound, and may leave at once", async () => {
  await using cloud = await startCloud(START);
  const client = cloud.client(OrganizationsClient);
  const { id, root } = await organized(client);
  const guest = cloud.client(OrganizationsClient, { accessKeyId: GUEST, secretAccessKey: "guest-secret" });
  const { Handshake } = await client.send(
    new InviteAccountToOrganizationCommand({
      Target: { Type: "EMAIL", Id: "guest@corp.example" },
      Notes: "join us",
      Tags: [{ Key: "team", Value: "blue" }],
    }),
  );
  const HandshakeId = Handshake!.Id!;
  assert.match(HandshakeId, /^h-[a-z0-9]{32}$/);
  const { RequestedTimestamp, ExpirationTimestamp, ...said } = Handshake!;
  assert.equal(ExpirationTimestamp!.getTime() - RequestedTimestamp!.getTime(), 15 * DAY);
  assert.deepEqual(said, {
    Id: HandshakeId,
    Arn: `arn:aws:organizations::000000000000:handshake/${id}/invite/${HandshakeId}`,
    Parties: [
      { Id: id, Type: "ORGANIZATION" },
      { Id: "guest@corp.example", Type: "EMAIL" },
    ],
    State: "OPEN",
    Action: "INVITE",
    Resources: [
      {
        Type: "ORGANIZATION",
        Value: id,
        Resources: [
          { Type: "MASTER_EMAIL", Value: "000000000000@example.com" },
          { Type: "MASTER_NAME", Value: "000000000000" },
          { Type: "ORGANIZATION_FEATURE_SET", Value: "ALL" },
        ],
      },
      { Type: "EMAIL", Value: "guest@corp.example" },
      { Type: "NOTES", Value: "join us" },
    ],
  });
  assert.deepEqual((await guest.send(new ListHandshakesForAccountCommand())).Handshakes, [Handshake]);
  assert.deepEqual((await guest.send(new DescribeHandshakeCommand({ HandshakeId }))).Handshake, Handshake);
  assert.match(await refusal(client.send(new AcceptHandshakeCommand({ HandshakeId }))), /^AccessDeniedException 400 /);
  const accepted = await guest.send(new AcceptHandshakeCommand({ HandshakeId }));
  assert.equal(accepted.Handshake!.State, "ACCEPTED");
  assert.match(await refusal(guest.send(new AcceptHandshakeCommand({ HandshakeId }))), /^HandshakeAlreadyInState/);
  assert.match(await refusal(guest.send(new DeclineHandshakeCommand({ HandshakeId }))), /^InvalidHandshakeTransition/);

  const { Account } = await client.send(new DescribeAccountCommand({ AccountId: GUEST }));
  assert.partialDeepStrictEqual(Account!, { Name: "guest", Email: "guest@corp.example", JoinedMethod: "INVITED" });
  const { Tags } = await client.send(new ListTagsForResourceCommand({ ResourceId: GUEST }));
  assert.deepEqual(Tags, [{ Key: "team", Value: "blue" }]);
  const Content = policy({ Effect: "Deny", Action: "iam:*", Resource: "*" });
  const { Policy } = await client.send(
    new CreatePolicyCommand({ Name: "p", Description: "", Type: "SERVICE_CONTROL_POLICY", Content }),
  );
  await client.send(new AttachPolicyCommand({ PolicyId: Policy!.PolicySummary!.Id, TargetId: root }));
  const iam = cloud.client(IAMClient, { accessKeyId: "guestroot", secretAccessKey: "guest-secret" });
  assert.match(await refusal(iam.send(new ListUsersCommand({}))), /service control policy/);
  await guest.send(new LeaveOrganizationCommand());
  await iam.send(new ListUsersCommand({}));
});

test("an invitation is declined, called back, or expires; who has an open one or an organization is not invited", async () => {
  await using cloud = await startCloud(START);
  const client = cloud.client(OrganizationsClient);
  await organized(client);
  const guest = cloud.client(OrganizationsClient, { accessKeyId: GUEST, secretAccessKey: "guest-secret" });
  const invite = async (Id = GUEST, Type: "ACCOUNT" | "EMAIL" | "ORGANIZATION" = "ACCOUNT") => {
    const { Handshake } = await client.send(new InviteAccountToOrganizationCommand({ Target: { Type, Id } }));
    return Handshake!.Id!;
  };
  const declined = await invite();
  assert.match(await refusal(invite()), /^DuplicateHandshakeException 400 /);
  assert.equal((await guest.send(new DeclineHandshakeCommand({ HandshakeId: declined }))).Handshake!.State, "DECLINED");
  const canceled = await invite();
  assert.match(await refusal(guest.send(new CancelHandshakeCommand({ HandshakeId: canceled }))), /^AccessDenied/);
  await client.send(new CancelHandshakeCommand({ HandshakeId: canceled }));
  const expired = await invite();
  await cloud.advance(15 * DAY);
  assert.match(await refusal(guest.send(new AcceptHandshakeCommand({ HandshakeId: expired }))), /^InvalidHandshakeT/);
  const states = async () => {
    const { Handshakes } = await client.send(new ListHandshakesForOrganizationCommand());
    return Object.fromEntries(Handshakes!.map(({ Id, State }) => [Id, State]));
  };
  assert.deepEqual(await states(), { [declined]: "DECLINED", [canceled]: "CANCELED", [expired]: "EXPIRED" });
  await cloud.advance(15 * DAY);
  assert.deepEqual(await states(), { [expired]: "EXPIRED" });
  const others = { Filter: { ActionType: "ENABLE_ALL_FEATURES" as const } };
  assert.deepEqual((await client.send(new ListHandshakesForOrganizationCommand(others))).Handshakes, []);

  const stranger = cloud.client(OrganizationsClient, { accessKeyId: "333333333333", secretAccessKey: "test" });
  assert.match(await refusal(stranger.send(new DescribeHandshakeCommand({ HandshakeId: expired }))), /^AccessDenied/);
  assert.equal(
    await refusal(stranger.send(new DescribeHandshakeCommand({ HandshakeId: "h-00000000" }))),
    "HandshakeNotFoundException 400 You specified a handshake that doesn't exist.",
  );
  assert.match(await refusal(invite("nobody@corp.example", "EMAIL")), /^InvalidInputException 400 /);
  assert.match(await refusal(invite("o-0123456789", "ORGANIZATION")), /^InvalidInputException 400 /);
  assert.match(await refusal(invite("nobody")), /^AccountNotFoundException 400 /);
  await guest.send(new CreateOrganizationCommand());
  assert.match(await refusal(invite()), /^HandshakeConstraintViolationException 400 .*already a member/);
  assert.match(await refusal(stranger.send(new ListHandshakesForOrganizationCommand())), /^AWSOrganizationsNotInUse/);
});
