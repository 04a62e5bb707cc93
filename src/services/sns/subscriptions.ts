// The attributes of subscriptions, and their lists.
import { type Access, type Context, defineOperations } from "../../kernel/mod.ts";
import { onTopic, soundSubscriptionArn, soundTopicArn, topicArn } from "./arns.ts";
import { errors, faultsAs } from "./errors.ts";
import { paged } from "./pages.ts";
import { checkFilterCount } from "./subscribing.ts";
import { effective, isAttribute, withAttributes } from "./subscription-attributes.ts";
import { listOfOwner, listOfTopic, openSubscription, type Subscription, saveSubscription } from "./subscription-row.ts";
import { changing, findTopic, openTopic } from "./topic-row.ts";

export const subscriptions = defineOperations("sns", {
  GetSubscriptionAttributes: {
    access: (ctx, input) => onSubscription(ctx, "GetSubscriptionAttributes", input),
    async handle(ctx, { SubscriptionArn }) {
      return ctx.read(async (tx) => {
        const one = await openSubscription(tx, SubscriptionArn!);
        const topic = await findTopic(tx, one.topic);
        return { Attributes: { ...effective(one, topic?.attributes.DeliveryPolicy) } };
      });
    },
  },

  SetSubscriptionAttributes: {
    access: (ctx, input) => onSubscription(ctx, "SetSubscriptionAttributes", input),
    async handle(ctx, { SubscriptionArn, AttributeName: name = "", AttributeValue: value = "" }) {
      await changing(ctx, async (tx) => {
        const one = await openSubscription(tx, SubscriptionArn!);
        if (!isAttribute(name)) throw errors.parameter("AttributeName");
        const attributes = faultsAs(errors.parameter, () => withAttributes(one.attributes, { [name]: value }, one));
        if (one.attributes.FilterPolicy === undefined && attributes.FilterPolicy !== undefined)
          await checkFilterCount(tx, one.topic);
        await saveSubscription(tx, { ...one, attributes });
      });
      return {};
    },
  },

  ListSubscriptions: {
    access: ({ account, region }) => ({
      action: "sns:ListSubscriptions",
      resource: topicArn({ account, region, name: "*" }),
    }),
    async handle(ctx, input) {
      const { items, next } = await paged(input.NextToken, (page) => ctx.read((tx) => listOfOwner(tx, ctx, page)));
      return { Subscriptions: items.map(listed), ...next };
    },
  },

  ListSubscriptionsByTopic: {
    access: (ctx, input) => onTopic(ctx, "ListSubscriptionsByTopic", input),
    async handle(ctx, input) {
      const topic = soundTopicArn(ctx, input.TopicArn);
      const { items, next } = await paged(input.NextToken, (page) =>
        ctx.read(async (tx) => {
          await openTopic(tx, topic);
          return listOfTopic(tx, topic, page);
        }),
      );
      return { Subscriptions: items.map(listed), ...next };
    },
  },
});

const onSubscription = (
  ctx: Context,
  action: string,
  { SubscriptionArn }: { readonly SubscriptionArn?: string | undefined },
): Access => ({ action: `sns:${action}`, resource: soundSubscriptionArn(ctx, SubscriptionArn) });

const listed = ({ arn, owner, protocol, endpoint, topic, state }: Subscription) => ({
  SubscriptionArn: state === "pending" ? "PendingConfirmation" : arn,
  Owner: owner,
  Protocol: protocol,
  Endpoint: endpoint,
  TopicArn: topic,
});
