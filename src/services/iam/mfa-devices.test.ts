import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import * as sdk from "@aws-sdk/client-iam";
import { GetSessionTokenCommand, STSClient } from "@aws-sdk/client-sts";
import { startCloud } from "../../../test/cloud.ts";
import { allow, policy, refusal, userWith } from "../../../test/principals.ts";
import { codeOf, enablingCodes } from "../../../test/totp.ts";
import { qrCode } from "./qr-code.ts";
import { codeAt } from "./totp.ts";

const alice = { UserName: "alice" };
const MFA = { Bool: { "aws:MultiFactorAuthPresent": "true" } };
const WRONG = "InvalidAuthenticationCode 403 Authentication code for device is not valid.";

test("codes are those of RFC 6238", () => {
  // Its appendix B, SHA-1, the last six of eight digits; the seed is the text 12345678901234567890.
  const seed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
  const cases = [
    [59, "287082"],
    [1111111109, "081804"],
    [1111111111, "050471"],
    [1234567890, "005924"],
    [2000000000, "279037"],
    [20000000000, "353130"],
  ] as const;
  for (const [seconds, code] of cases) assert.equal(codeAt(seed, Math.floor(seconds / 30)), code);
});

test("a QR code has the modules that a reader reads", () => {
  // jsQR 1.4 read these, and all lengths up to the longest; what it read is kept as a digest of the pixels.
  const pixels = (png: Buffer) =>
    createHash("sha256")
      .update(inflateSync(png.subarray(41, -16)))
      .digest("hex");
  const cases = [
    ["a", 1, "a8ba9ab68ac21f69fee87826dc54a8f0bf3ea55ec88b87a6d606e1fd1bb13d1a"],
    ["b", 150, "0e5c64fc7ebbe0c2ab4c6e100574a0a948af8e13697bccfdceaa69e2c996443a"],
    ["c", 858, "7f2df63fa348f11d35c36c37f62018d70a621e4a1888767b70b58f26dc887227"],
  ] as const;
  for (const [letter, length, digest] of cases) assert.equal(pixels(qrCode(letter.repeat(length))), digest);
  assert.throws(() => qrCode("d".repeat(859)), RangeError);
});

test("a virtual device is made, enabled with two codes in a row, listed, deactivated and deleted", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  const { VirtualMFADevice: device } = await iam.send(
    new sdk.CreateVirtualMFADeviceCommand({
      VirtualMFADeviceName: "phone",
      Path: "/x/",
      Tags: [{ Key: "k", Value: "v" }],
    }),
  );
  const SerialNumber = device!.SerialNumber!;
  const seed = device!.Base32StringSeed!;
  assert.equal(SerialNumber, "arn:aws:iam::000000000000:mfa/x/phone");
  assert.match(Buffer.from(seed).toString(), /^[A-Z2-7]{64}$/);
  const address = `otpauth://totp/phone%40000000000000?secret=${Buffer.from(seed)}`;
  assert.deepEqual(Buffer.from(device!.QRCodePNG!), qrCode(address));
  assert.equal(
    await refusal(iam.send(new sdk.CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: "phone", Path: "/x/" }))),
    "EntityAlreadyExists 409 MFADevice entity at the same path and name already exists.",
  );
  const enable = (codes: object, more: object = {}) =>
    iam.send(new sdk.EnableMFADeviceCommand({ ...alice, SerialNumber, ...enablingCodes(seed), ...codes, ...more }));
  const codes = enablingCodes(seed);
  const swapped = { AuthenticationCode1: codes.AuthenticationCode2, AuthenticationCode2: codes.AuthenticationCode1 };
  const far = { AuthenticationCode1: codeOf(seed, -9), AuthenticationCode2: codeOf(seed, -8) };
  for (const wrong of [swapped, far, { AuthenticationCode2: "abcdef".replace(/./g, "0") }])
    assert.equal(await refusal(enable(wrong)), WRONG);
  assert.equal(
    await refusal(enable({}, { SerialNumber: `${SerialNumber}s` })),
    `NoSuchEntity 404 VirtualMFADevice with serial number ${SerialNumber}s doesn't exist.`,
  );
  await enable({});
  assert.equal(await refusal(enable({})), "EntityAlreadyExists 409 MFA Device is already in use.");

  const { MFADevices } = await iam.send(new sdk.ListMFADevicesCommand(alice));
  assert.deepEqual(
    MFADevices?.map(({ UserName, SerialNumber: serial }) => [UserName, serial]),
    [["alice", SerialNumber]],
  );
  const got = await iam.send(new sdk.GetMFADeviceCommand({ ...alice, SerialNumber }));
  assert.deepEqual(got.EnableDate, MFADevices?.[0]?.EnableDate);
  await iam.send(new sdk.CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: "spare" }));
  const list = async (AssignmentStatus: "Any" | "Assigned" | "Unassigned") => {
    const { VirtualMFADevices } = await iam.send(new sdk.ListVirtualMFADevicesCommand({ AssignmentStatus }));
    return VirtualMFADevices?.map(({ SerialNumber: serial, User }) => [serial?.split("/").at(-1), User?.UserName]);
  };
  assert.deepEqual(await list("Any"), [
    ["spare", undefined],
    ["phone", "alice"],
  ]);
  assert.deepEqual(await list("Assigned"), [["phone", "alice"]]);
  assert.deepEqual(await list("Unassigned"), [["spare", undefined]]);

  const resync = (AuthenticationCode1: string, AuthenticationCode2: string) =>
    iam.send(new sdk.ResyncMFADeviceCommand({ ...alice, SerialNumber, AuthenticationCode1, AuthenticationCode2 }));
  assert.equal(await refusal(resync(codes.AuthenticationCode1, codes.AuthenticationCode2)), WRONG, "they are used up");
  await resync(codeOf(seed, 0), codeOf(seed, 1));
  assert.equal(
    await refusal(iam.send(new sdk.DeleteUserCommand(alice))),
    "DeleteConflict 409 Cannot delete entity, must delete MFA device first.",
  );
  await iam.send(new sdk.UpdateUserCommand({ ...alice, NewUserName: "anna" }));
  const remove = () => iam.send(new sdk.DeleteVirtualMFADeviceCommand({ SerialNumber }));
  assert.equal(await refusal(remove()), "DeleteConflict 409 MFA VirtualDevice in use. Must deactivate first.");
  const deactivate = () => iam.send(new sdk.DeactivateMFADeviceCommand({ UserName: "anna", SerialNumber }));
  await deactivate();
  assert.match(await refusal(deactivate()), /^NoSuchEntity 404 /);
  await iam.send(new sdk.TagMFADeviceCommand({ SerialNumber, Tags: [{ Key: "x", Value: "y" }] }));
  await iam.send(new sdk.UntagMFADeviceCommand({ SerialNumber, TagKeys: ["K"] }));
  assert.deepEqual((await iam.send(new sdk.ListMFADeviceTagsCommand({ SerialNumber }))).Tags, [
    { Key: "x", Value: "y" },
  ]);
  await remove();
  assert.deepEqual(await list("Any"), [["spare", undefined]]);
});

test("a device vouches for its user to sts, once with each code", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  const key = await userWith(cloud, "alice", { may: policy(allow("iam:GetUser", { Condition: MFA })) });
  const { VirtualMFADevice: device } = await iam.send(
    new sdk.CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: "phone" }),
  );
  const SerialNumber = device!.SerialNumber!;
  const seed = device!.Base32StringSeed!;
  const token = (TokenCode: string, as = key) =>
    cloud.client(STSClient, as).send(new GetSessionTokenCommand({ SerialNumber, TokenCode }));
  const wrong = /^AccessDenied 403 MultiFactorAuthentication failed with invalid MFA one time pass code/;
  assert.match(await refusal(token(codeOf(seed))), wrong, "it is nobody's yet");
  await iam.send(new sdk.EnableMFADeviceCommand({ ...alice, SerialNumber, ...enablingCodes(seed) }));
  assert.match(await refusal(token(codeOf(seed), await userWith(cloud, "bob"))), wrong, "it is not bob's");
  assert.match(await refusal(token(codeOf(seed, 9))), wrong);
  const code = codeOf(seed);
  const { Credentials: given } = await token(code);
  assert.match(await refusal(token(code)), wrong, "a code is good once");
  assert.match(await refusal(cloud.client(sdk.IAMClient, key).send(new sdk.GetUserCommand({}))), /^AccessDenied 403 /);
  const withMfa = cloud.client(sdk.IAMClient, {
    accessKeyId: given!.AccessKeyId!,
    secretAccessKey: given!.SecretAccessKey!,
    sessionToken: given!.SessionToken!,
  });
  assert.equal((await withMfa.send(new sdk.GetUserCommand({}))).User?.UserName, "alice");
});

test("a user has eight devices at most, and none of another account", async () => {
  await using cloud = await startCloud();
  const iam = cloud.client(sdk.IAMClient);
  await iam.send(new sdk.CreateUserCommand(alice));
  for (let at = 1; at <= 9; at++) {
    const { VirtualMFADevice: device } = await iam.send(
      new sdk.CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: `d${at}` }),
    );
    const enabled = iam.send(
      new sdk.EnableMFADeviceCommand({
        ...alice,
        SerialNumber: device!.SerialNumber,
        ...enablingCodes(device!.Base32StringSeed!),
      }),
    );
    if (at <= 8) await enabled;
    else assert.equal(await refusal(enabled), "LimitExceeded 409 Cannot exceed quota for MFADevicesPerUser: 8");
  }
  assert.deepEqual((await iam.send(new sdk.ListMFADevicesCommand({}))).MFADevices, [], "root has none");
  assert.match(
    await refusal(iam.send(new sdk.CreateVirtualMFADeviceCommand({ VirtualMFADeviceName: "d".repeat(256) }))),
    /^ValidationError 400 .* 'virtualMFADeviceName' failed to satisfy constraint: Member must have length less than or equal to 226$/,
  );
  const other = cloud.client(sdk.IAMClient, { accessKeyId: "111111111111", secretAccessKey: "test" });
  const SerialNumber = "arn:aws:iam::000000000000:mfa/d1";
  assert.match(await refusal(other.send(new sdk.DeleteVirtualMFADeviceCommand({ SerialNumber }))), /^AccessDenied/);
});
