// What functions say, for who watches it: `aws-like invoke --follow`.
import { type Arn, defineTap } from "../../kernel/mod.ts";

export interface Said {
  /** Without qualifier. */
  readonly functionArn: Arn;
  readonly requestId: string;
  /** A line of the log; absent when the invocation is over. */
  readonly line?: string;
  /** Of an invocation that is over, and failed. */
  readonly error?: string;
}

const tap = defineTap<Said>();

export const said = tap.pass;
export const watch = tap.watch;
