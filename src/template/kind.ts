// What a type of resource is: the properties it knows, what Ref and GetAtt say of it, and the calls that make it so.
import type { Aws } from "../aws.ts";
import { AwsError } from "../kernel/error.ts";
import type { Fields } from "./node.ts";
import type { RecordOf, Value } from "./shape.ts";

/** An operation, as the root of the cloud's own account. */
export type Call = Aws["call"];

export interface Place {
  readonly account: string;
  readonly region: string;
  readonly stack: string;
  readonly endpoint: string;
  /** The workspace. */
  readonly dir: string;
}

/** A resource with all values known. What is written down of it is this, so that it can be removed when the template forgot it. */
export interface Subject<P> {
  readonly id: string;
  readonly type: string;
  /** The physical name: what the template says, or one made of stack and logical id. */
  readonly name: string;
  readonly properties: P;
  /** The directory of the workspace that a bucket is. */
  readonly directory?: string | undefined;
}

/** A property that is a text; undefined where it is not said. */
export type Property = (name: string) => string | undefined;

export interface Identity {
  readonly ref: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Kind<P = Readonly<Record<string, unknown>>> {
  readonly shape: RecordOf;
  /** The property that says the physical name. */
  readonly named?: string;
  /** Of a name that is made. */
  readonly longestName: number;
  readonly lowerCase?: true;
  /** Properties that AWS does not change in place. */
  readonly fixed: readonly string[];
  /** Of a name that is made: `.fifo`. */
  suffix?(property: Property): string;
  /** `ref` is what Ref says; the others by the names that GetAtt takes. Known before anything is made: our names are no dice. */
  identify(name: string, place: Place, property: Property): Identity;
  /** Further attributes for GetAtt, which only the thing itself can tell; undefined: it has none. */
  readonly later?: Readonly<Record<string, (call: Call, name: string) => Promise<string | undefined>>>;
  /** What the properties mean on this machine: files are looked for. Throws TemplateError. */
  prepare?(properties: P, given: Fields, about: { readonly dir: string; readonly path: string }): P;
  exists(call: Call, subject: Subject<P>, place: Place): Promise<boolean>;
  create(call: Call, subject: Subject<P>, place: Place): Promise<void>;
  /** `before` is what was made; undefined where it was found without our having made it. */
  update(call: Call, subject: Subject<P>, place: Place, before: Subject<P> | undefined): Promise<void>;
  /** False where it is kept, because it holds something. */
  remove(call: Call, subject: Subject<P>, place: Place): Promise<boolean>;
}

/** Gives the literal its type: handlers see the properties that the shape has. */
export const defineKind = <S extends RecordOf>(kind: Kind<Value<S>> & { readonly shape: S }): Kind =>
  kind as unknown as Kind;

/** Undefined where the answer is one of these errors. */
export async function unless<T>(answer: Promise<T>, ...codes: string[]): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof AwsError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

export interface Tag {
  readonly Key: string;
  readonly Value: string;
}

/** The keys of tags that went. */
export const goneTags = (before: readonly Tag[] = [], after: readonly Tag[] = []): string[] =>
  before.map(({ Key }) => Key).filter((key) => !after.some(({ Key }) => Key === key));
