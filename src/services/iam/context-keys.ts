// The condition keys that policies ask for, and a simulation of them wants to know.
import { contextKeysOf, defineOperations, identityPolicyFault } from "../../kernel/mod.ts";
import { errors } from "./errors.ts";
import { entityOf, onEntity, policiesOf } from "./sources.ts";

export const contextKeys = defineOperations("iam", {
  GetContextKeysForCustomPolicy: {
    access: () => ({ action: "iam:GetContextKeysForCustomPolicy", resource: "*" }),
    async handle(_ctx, { PolicyInputList = [] }) {
      return { ContextKeyNames: contextKeysOf(checked(PolicyInputList)) };
    },
  },

  GetContextKeysForPrincipalPolicy: {
    access: onEntity("GetContextKeysForPrincipalPolicy"),
    async handle(ctx, { PolicySourceArn, PolicyInputList = [] }) {
      const given = checked(PolicyInputList);
      const { sources } = await policiesOf(ctx, await entityOf(ctx, PolicySourceArn!));
      return { ContextKeyNames: contextKeysOf([...sources.map(({ document }) => document), ...given]) };
    },
  },
});

function checked(documents: readonly string[]): readonly string[] {
  for (const [at, document] of documents.entries()) {
    const fault = identityPolicyFault(document);
    if (fault) throw errors.invalid(`Invalid policy in PolicyInputList.${at + 1}: ${fault}`);
  }
  return documents;
}
