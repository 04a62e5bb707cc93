import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { selfSigned } from "./certificate.ts";

test("a certificate is read back, whatever byte its serial begins with", () => {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  for (const first of [0x00, 0x7f, 0x80, 0xff]) {
    const pem = selfSigned(pair, { commonName: "sns.amazonaws.com", serial: Buffer.of(first, 0, 1) });
    const certificate = new X509Certificate(pem);
    assert.equal(certificate.subject, "CN=sns.amazonaws.com");
    assert.equal(certificate.serialNumber, `01${first.toString(16).padStart(2, "0").toUpperCase()}0001`);
    assert.ok(certificate.verify(pair.publicKey));
    assert.ok(Date.parse(certificate.validTo) > Date.parse("2500-01-01"));
  }
});
