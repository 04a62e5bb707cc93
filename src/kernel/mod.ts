// The only thing that a service may import besides its own folder.
export type { Account, Config } from "../config.ts";
export type { HttpAnswer, HttpRequest, PostedForm } from "../model/http.ts";
export { loadModel } from "../model/load.ts";
export type { Model } from "../model/model.ts";
export { verbatim } from "../model/verbatim.ts";
export type { Params, Row, Singly, Tx, Value } from "../store/store.ts";
export { after } from "./after.ts";
export { type ApiCall, type HttpParts, httpFault, httpParts, invokeApi, TooEarly } from "./api-destinations.ts";
export { type Clock, realNow } from "./clock.ts";
export type { Action, Context, NewWork, Principal, Provider, Retry, SessionFacts, Work } from "./context.ts";
export { delayed } from "./delays.ts";
export { AwsError, isRefusal } from "./error.ts";
export type { Log } from "./journal.ts";
export { parsedJson } from "./json.ts";
export { forgetWith } from "./memory.ts";
export {
  type Arn,
  accountOfAccessKey,
  canonicalIdOf,
  chance,
  newAccessKeyId,
  newHex,
  newLongRequestId,
  newRequestId,
  newShortRequestId,
  newToken,
  newUniqueId,
  parseArn,
} from "./names.ts";
export { withoutNulls } from "./nulls.ts";
export { pageOf } from "./pages.ts";
export {
  compileFilterPolicy,
  type FilteredMessage,
  type FilterPolicy,
  type FilterPolicyScope,
} from "./pattern/filter-policy.ts";
export { compilePattern, type Pattern, PatternFault } from "./pattern/pattern.ts";
export { PatternIndex } from "./pattern/pattern-index.ts";
export { contextKeysOf } from "./policy/context-keys.ts";
export { type Caller, type Decision, evaluate, type Question, type TraceLine } from "./policy/evaluate.ts";
export { child, each, scan } from "./policy/json.ts";
export { type PolicySet, policySet } from "./policy/policy-set.ts";
export { identityPolicyFault } from "./policy/validate.ts";
export { resourcePolicyFault, trustPolicyFault } from "./policy/validate-principals.ts";
export { requestTagKeys, requestTags } from "./request-tags.ts";
export { assumeRole, type RoleSession } from "./roles.ts";
export { parseSchedule, type Schedule, type ScheduleOptions } from "./schedules/schedule.ts";
export { findZone } from "./schedules/zones.ts";
export {
  type Access,
  type Answered,
  type Answering,
  type Checked,
  type CheckOptions,
  type Conditions,
  type Controls,
  type Credential,
  type Demand,
  defineOperations,
  defineService,
  type Gate,
  type Handler,
  type Held,
  type Identity,
  type NamedPolicy,
  type Operations,
  type Organization,
  type Quirks,
  type Route,
  type Running,
  type Site,
  type Tags,
  type Use,
  type Watch,
} from "./service.ts";
export { Pollers } from "./sources/pollers.ts";
export { forgetPositions } from "./sources/positions.ts";
export { pollQueue } from "./sources/queue.ts";
export {
  type Consumed,
  type Consumer,
  type Discarded,
  type Poller,
  type QueueSource,
  type SourceRecord,
  type StreamSource,
  Throttled,
  type WindowPart,
} from "./sources/source.ts";
export { pollStream } from "./sources/stream.ts";
export { defineTap, type Tap } from "./tap.ts";
export { type Parcel, type ParcelAttribute, parcelOf, sendTo, takesParcels } from "./targets.ts";
export { stepsOf, valueAt } from "./templates/json-path.ts";
export { filled } from "./templates/template.ts";
export type { Input, OperationName, Output, ServiceName } from "./types.ts";
export { zipOfPath } from "./zip.ts";
