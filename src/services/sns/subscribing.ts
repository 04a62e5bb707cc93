// Subscribe, ConfirmSubscription, Unsubscribe: how a subscription begins and ends.
// https://docs.aws.amazon.com/sns/latest/dg/SendMessageToHttp.prepare.html
import {
  type Arn,
  type Context,
  defineOperations,
  newHex,
  newRequestId,
  type Principal,
  parseArn,
  type Tx,
} from "../../kernel/mod.ts";
import { asSns, onTopic, soundSubscriptionArn, soundTopicArn, topicOfArn } from "./arns.ts";
import { soundEndpoint } from "./endpoints.ts";
import { errors, faultsAs } from "./errors.ts";
import { invite, isTold, takeLeave } from "./invitations.ts";
import { effective, isAttribute, withAttributes } from "./subscription-attributes.ts";
import {
  findByEndpoint,
  findByToken,
  findSubscription,
  type Protocol,
  removeSubscription,
  type Subscription,
  saveSubscription,
} from "./subscription-row.ts";
import type { Attributes } from "./topic-attributes.ts";
import { changing, openTopic, type Topic } from "./topic-row.ts";

/** A token is good for two days, and so long an unconfirmed subscription stays. */
const TOKEN_MS = 2 * 24 * 3_600_000;
const TOKEN_DIGITS = 256;
const MOST_FILTERS = 200;

export const subscribing = defineOperations("sns", {
  Subscribe: {
    access: (ctx, input) =>
      onTopic(ctx, "Subscribe", input, {
        ...(input.Protocol !== undefined && { "sns:Protocol": input.Protocol }),
        ...(input.Endpoint !== undefined && { "sns:Endpoint": input.Endpoint }),
      }),
    async handle(ctx, input) {
      const topicArn = soundTopicArn(ctx, input.TopicArn);
      const given = (input.Attributes ?? {}) as Attributes;
      const one = await changing(ctx, async (tx) => {
        const topic = await openTopic(tx, topicArn);
        const protocol = soundEndpoint(topicArn, input.Protocol, input.Endpoint);
        const about = { topic: topicArn, protocol, endpoint: input.Endpoint! };
        const attributes = faultsAs(errors.attributes, () => newAttributes(given, about));
        const known = await findByEndpoint(tx, about);
        if (known && known.state !== "deleted") return again(ctx, tx, { known, topic, given });
        if (known) await removeSubscription(tx, known.arn);
        if (attributes.FilterPolicy !== undefined) await checkFilterCount(tx, topicArn);
        return begin(ctx, tx, { ...about, attributes });
      });
      const answered = one.state === "confirmed" || input.ReturnSubscriptionArn === true;
      return { SubscriptionArn: answered ? one.arn : "pending confirmation" };
    },
  },

  ConfirmSubscription: {
    // Whoever has the token may, and a signature only adds to it.
    access: (ctx, input) =>
      ctx.principal.kind === "anonymous" ? "public" : onTopic(ctx, "ConfirmSubscription", input),
    async handle(ctx, input) {
      const { TopicArn: topic = "", Token: token = "" } = input;
      const ref = topicOfArn(topic);
      const signed = ctx.principal.kind !== "anonymous";
      if (!ref || (signed && ref.region !== ctx.region)) throw errors.parameter("Topic");
      if (!/^[0-9a-f]{64,}$/.test(token)) throw errors.parameter("Token");
      const needsSignature = signed && input.AuthenticateOnUnsubscribe?.toLowerCase() === "true";
      const one = await changing(ctx, async (tx) => {
        const found = await findByToken(tx, { topic, token });
        if (!found) {
          await openTopic(tx, topic);
          throw errors.token();
        }
        // The link may be followed again.
        if (found.state === "confirmed") return found;
        if (found.tokenUntilMs <= ctx.now) throw errors.token();
        const confirmed: Subscription = { ...found, state: "confirmed", wasAuthenticated: signed, needsSignature };
        await saveSubscription(tx, confirmed);
        return confirmed;
      });
      ctx.log.info(`subscription ${one.endpoint} confirmed`, { subject: one.arn });
      return { SubscriptionArn: one.arn };
    },
  },

  Unsubscribe: {
    access(ctx, { SubscriptionArn }) {
      const resource = soundSubscriptionArn(ctx, SubscriptionArn);
      return ctx.principal.kind === "anonymous" ? "public" : { action: "sns:Unsubscribe", resource };
    },
    async handle(ctx, input) {
      const arn = soundSubscriptionArn(ctx, input.SubscriptionArn);
      const signed = ctx.principal.kind !== "anonymous";
      const gone = await changing(ctx, async (tx) => {
        const one = await findSubscription(tx, arn);
        // Idempotent.
        if (!one || one.state === "deleted") return undefined;
        if (one.needsSignature && !signed) throw errors.signatureNeeded();
        await end(ctx, tx, one);
        return one;
      });
      if (gone) ctx.log.info(`subscription ${gone.endpoint} ended`, { subject: arn });
      return {};
    },
  },
});

/** Throws a Fault. */
function newAttributes(given: Attributes, about: { topic: Arn; protocol: Protocol; endpoint: string }): Attributes {
  for (const name of Object.keys(given)) if (!isAttribute(name)) throw errors.attributes(`Unknown attribute: ${name}`);
  return withAttributes({}, given, about);
}

/** The same endpoint once more: what is given must be what it has. One that is pending is asked again. */
async function again(
  ctx: Context,
  tx: Tx,
  { known, topic, given }: { known: Subscription; topic: Topic; given: Attributes },
): Promise<Subscription> {
  const has = effective(known, topic.attributes.DeliveryPolicy);
  const wanted = withAttributes({}, given, known);
  for (const name of Object.keys(given))
    if ((has[name] ?? "") !== (wanted[name] ?? ""))
      throw errors.attributes("Subscription already exists with different attributes");
  if (known.state === "pending") await invite(ctx, tx, known);
  return known;
}

async function begin(
  ctx: Context,
  tx: Tx,
  of: { topic: Arn; protocol: Protocol; endpoint: string; attributes: Attributes },
): Promise<Subscription> {
  const confirmed = isConfirmedAtOnce(ctx, of);
  const one: Subscription = {
    ...of,
    arn: `${of.topic}:${newRequestId()}`,
    region: ctx.region,
    owner: ctx.account,
    principal: arnOf(ctx.principal),
    state: confirmed ? "confirmed" : "pending",
    token: newHex(TOKEN_DIGITS),
    tokenUntilMs: ctx.now + TOKEN_MS,
    wasAuthenticated: confirmed,
    needsSignature: false,
  };
  await saveSubscription(tx, one);
  if (!confirmed) {
    await invite(ctx, tx, one);
    await expire(ctx, tx, one);
  }
  return one;
}

/** A queue and a function of the caller's account need not be asked; a telephone is not. */
function isConfirmedAtOnce(ctx: Context, { protocol, endpoint }: { protocol: Protocol; endpoint: string }): boolean {
  if (protocol === "sqs" || protocol === "lambda") return parseArn(endpoint)!.account === ctx.account;
  return protocol === "sms";
}

/** An endpoint that can answer is told, and may come back for two days; any other is forgotten. */
async function end(ctx: Context, tx: Tx, one: Subscription): Promise<void> {
  await tx.run("DELETE FROM sns_waiting WHERE subscription = :arn", { arn: one.arn });
  if (one.state !== "confirmed" || !isTold(one)) return removeSubscription(tx, one.arn);
  const left: Subscription = {
    ...one,
    state: "deleted",
    token: newHex(TOKEN_DIGITS),
    tokenUntilMs: ctx.now + TOKEN_MS,
  };
  await saveSubscription(tx, left);
  await expire(ctx, tx, left);
  await takeLeave(ctx, tx, left);
}

async function expire(ctx: Context, tx: Tx, { arn, topic, tokenUntilMs }: Subscription): Promise<void> {
  await ctx.put(tx, { to: arn, as: asSns(topic), due: tokenUntilMs, payload: { kind: "expire", at: tokenUntilMs } });
}

/** Of a topic that gets one more. */
export async function checkFilterCount(tx: Tx, topic: Arn): Promise<void> {
  const row = await tx.one<{ count: number }>(
    `SELECT COUNT(*) AS count FROM sns_subscription WHERE topic = :topic AND attributes LIKE '%"FilterPolicy":%'`,
    { topic },
  );
  if (row!.count >= MOST_FILTERS) throw errors.tooManyFilters();
}

const arnOf = (principal: Principal): Arn =>
  "arn" in principal ? principal.arn : principal.kind === "service" ? principal.name : "anonymous";
