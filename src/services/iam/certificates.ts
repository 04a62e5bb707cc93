// X.509 certificates and their keys, read with node's own parser; what is wrong with one is said in IAM's words.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { errors } from "./errors.ts";

/** The only certificate of `pem`. Throws MalformedCertificate. */
export function certificateOf(pem: string): X509Certificate {
  const [first, second] = certificatesOf(pem);
  if (!first || second) throw errors.malformedCertificate();
  return first;
}

/** Each certificate of a chain, in its order. Throws MalformedCertificate. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    throw errors.malformedCertificate();
  }
}

/** Throws MalformedCertificate where `chain` does not lead from the certificate upwards, one signing the one before. */
export function checkChain(certificate: X509Certificate, chain: string): void {
  const issuers = certificatesOf(chain);
  if (issuers.length === 0) throw errors.malformedCertificate();
  [certificate, ...issuers].reduce((signed, issuer) => {
    if (!signed.verify(issuer.publicKey)) throw errors.malformedChain();
    return issuer;
  });
}

/** Throws MalformedCertificate (no key) or KeyPairMismatch (another's). */
export function checkPrivateKey(certificate: X509Certificate, pem: string): void {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw errors.malformedPrivateKey();
  }
  if (!certificate.checkPrivateKey(key)) throw errors.keyPairMismatch();
}
