// CreateTopic, DeleteTopic, the attributes, ListTopics.
import { defineOperations, parseArn, requestTags, type Tx } from "../../kernel/mod.ts";
import { isFifo, onTopic, soundTopicArn, topicArn } from "./arns.ts";
import { errors, faultsAs } from "./errors.ts";
import { paged } from "./pages.ts";
import { soundTags } from "./tags.ts";
import { type Attributes, effective, isSettable, newAttributes, withAttribute } from "./topic-attributes.ts";
import { changing, findTopic, insertTopic, openTopic, saveTopic, type Topic } from "./topic-row.ts";

export const topics = defineOperations("sns", {
  CreateTopic: {
    // Whoever makes a tagged topic tags it.
    access: ({ account, region }, { Name = "", Tags }) =>
      ["CreateTopic", ...(Tags?.length ? ["TagResource"] : [])].map((action) => ({
        action: `sns:${action}`,
        resource: topicArn({ account, region, name: Name }),
        conditions: requestTags(Tags),
      })),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const name = input.Name ?? "";
      const given = (input.Attributes ?? {}) as Attributes;
      if (input.DataProtectionPolicy) throw errors.notImplemented("CreateTopic's DataProtectionPolicy");
      const fifo = faultsAs(errors.attributes, () => isAskedFifo(given));
      checkName(name, fifo);
      const tags = soundTags(input.Tags);
      const attributes = faultsAs(errors.attributes, () => newAttributes(given, fifo));
      const ref = { account, region, name };
      const arn = topicArn(ref);
      const made = await changing(ctx, async (tx) => {
        const topic = await findTopic(tx, arn);
        if (!topic) {
          await insertTopic(tx, { arn, account, region, attributes, tags });
          return true;
        }
        const has = effective(ref, topic.attributes);
        if (
          Object.keys(given).some(
            (key) => (has[key] ?? "") !== (attributes[key] ?? (key === "FifoTopic" ? "" : given[key])),
          )
        )
          throw errors.attributes("Topic already exists with different attributes");
        if (Object.entries(tags).some(([key, value]) => topic.tags[key] !== value))
          throw errors.because("Tags", "Topic already exists with different tags");
        return false;
      });
      if (made) ctx.log.info(`topic ${name} created`, { subject: arn });
      return { TopicArn: arn };
    },
  },

  DeleteTopic: {
    access: (ctx, input) => onTopic(ctx, "DeleteTopic", input),
    async handle(ctx, input) {
      const arn = soundTopicArn(ctx, input.TopicArn);
      const { account } = parseArn(arn)!;
      const gone = await changing(ctx, async (tx) => {
        const waiting = "SELECT arn FROM sns_subscription WHERE topic = :arn";
        await tx.run(`DELETE FROM sns_waiting WHERE subscription IN (${waiting})`, { arn });
        await tx.run("DELETE FROM sns_subscription WHERE topic = :arn", { arn });
        await tx.run("DELETE FROM sns_deduplication WHERE topic = :arn", { arn });
        return tx.run("DELETE FROM sns_topic WHERE arn = :arn", { arn });
      });
      if (gone > 0) ctx.log.info(`topic ${arn} deleted`, { subject: arn });
      // Idempotent for its own account only.
      else if (account !== ctx.account) throw errors.noTopic();
      return {};
    },
  },

  GetTopicAttributes: {
    access: (ctx, input) => onTopic(ctx, "GetTopicAttributes", input),
    async handle(ctx, input) {
      const arn = soundTopicArn(ctx, input.TopicArn);
      return ctx.read(async (tx) => {
        const topic = await openTopic(tx, arn);
        return { Attributes: { ...effective(topic, topic.attributes), ...(await countSubscriptions(tx, topic)) } };
      });
    },
  },

  SetTopicAttributes: {
    access: (ctx, input) => onTopic(ctx, "SetTopicAttributes", input),
    async handle(ctx, input) {
      const arn = soundTopicArn(ctx, input.TopicArn);
      const { AttributeName: name = "", AttributeValue: value = "" } = input;
      await changing(ctx, async (tx) => {
        const topic = await openTopic(tx, arn);
        const attributes = faultsAs(errors.parameter, () => changed(topic, name, value));
        await saveTopic(tx, { ...topic, attributes });
      });
      return {};
    },
  },

  ListTopics: {
    access: ({ account, region }) => ({ action: "sns:ListTopics", resource: topicArn({ account, region, name: "*" }) }),
    async handle(ctx, input) {
      const { account, region } = ctx;
      const { items, next } = await paged(input.NextToken, (page) =>
        ctx.read((tx) =>
          tx.all<{ arn: string }>(
            `SELECT arn FROM sns_topic WHERE account = :account AND region = :region AND arn > :after
             ORDER BY arn LIMIT :limit`,
            { account, region, ...page },
          ),
        ),
      );
      return { Topics: items.map(({ arn }) => ({ TopicArn: arn })), ...next };
    },
  },
});

function isAskedFifo({ FifoTopic }: Attributes): boolean {
  if (FifoTopic !== undefined && !/^(true|false)$/i.test(FifoTopic))
    throw errors.attributes(`FifoTopic: Invalid value [${FifoTopic}]. Must be true or false.`);
  return FifoTopic?.toLowerCase() === "true";
}

function checkName(name: string, fifo: boolean): void {
  const sound = fifo ? /^[A-Za-z0-9_-]{1,251}\.fifo$/ : /^[A-Za-z0-9_-]{1,256}$/;
  if (!sound.test(name)) throw errors.parameter("Topic Name");
}

/** An attribute that is none, or is fixed when the topic is made, has one sentence. */
function changed(topic: Topic, name: string, value: string): Attributes {
  const refused = !isSettable(name, isFifo(topic.arn)) && !/Feedback|^ArchivePolicy$/.test(name);
  if (refused) throw errors.parameter("AttributeName");
  return withAttribute(topic.attributes, name, value);
}

async function countSubscriptions(tx: Tx, { arn }: Topic): Promise<Attributes> {
  const rows = await tx.all<{ state: string; count: number }>(
    "SELECT state, COUNT(*) AS count FROM sns_subscription WHERE topic = :arn GROUP BY state",
    { arn },
  );
  const count = (state: string) => String(rows.find((row) => row.state === state)?.count ?? 0);
  return {
    SubscriptionsConfirmed: count("confirmed"),
    SubscriptionsDeleted: count("deleted"),
    SubscriptionsPending: count("pending"),
  };
}
