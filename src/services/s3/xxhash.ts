// XXH64, XXH3 and XXH128 of a stream, with seed 0: neither node nor zlib has them. What many bytes do to the state is worked out in halves of 32 bits,
// the end, which is short, with BigInt. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
export interface Xxhash {
  update(bytes: Uint8Array): void;
  /** Big-endian, the form that the specification calls canonical. Once. */
  digest(): Buffer;
}

export function openXxh64(): Xxhash {
  const state = halves([PRIME_1 + PRIME_2, PRIME_2, 0n, -PRIME_1]);
  return openBlocks(
    (block) => absorb64(state, block, BLOCK),
    (end) => bigEndian([finish64(state, end)]),
  );
}

export function openXxh3(): Xxhash {
  const state = halves(START_3);
  return openBlocks(
    (block) => absorb3(state, block, BLOCK),
    (end) => bigEndian([end.length > MAX_SHORT ? merge(long3(state, end), 11, length64(end)) : short3(end.bytes())]),
  );
}

export function openXxh128(): Xxhash {
  const state = halves(START_3);
  return openBlocks(
    (block) => absorb3(state, block, BLOCK),
    (end) => bigEndian(end.length > MAX_SHORT ? long128(long3(state, end), end.length) : short128(end.bytes())),
  );
}

const BLOCK = 1024;
const STRIPE = 64;
/** XXH3 hashes what is no longer in another way. */
const MAX_SHORT = 240;

const PRIME32_1 = 0x9e3779b1;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME_1 = 0x9e3779b185ebca87n;
const PRIME_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME_3 = 0x165667b19e3779f9n;
const PRIME_4 = 0x85ebca77c2b2ae63n;
const PRIME_5 = 0x27d4eb2f165667c5n;
const MIX_1 = 0x165667919e3779f9n;
const MIX_2 = 0x9fb21c651e98df25n;
const START_3 = [PRIME32_3, PRIME_1, PRIME_2, PRIME_3, PRIME_4, PRIME32_2, PRIME_5, BigInt(PRIME32_1)];

const SECRET = Buffer.from(
  `b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c
   3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364ea
   c5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e`.replace(
    /\s/g,
    "",
  ),
  "hex",
);

/** What is left when all whole blocks before it were absorbed: at least a byte, if there was one. */
interface End {
  /** Of the whole stream. */
  readonly length: number;
  /** Those that no block took. */
  bytes(): Buffer;
  /** The stream's last ones, `STRIPE` of them. */
  lastStripe(): Buffer;
}

/** A block is absorbed when a byte after it is there: the last one is treated otherwise. */
function openBlocks(absorb: (block: Int32Array) => void, finish: (end: End) => Buffer): Xxhash {
  // The end of the block before stands in front.
  const buffer = Buffer.from(new ArrayBuffer(STRIPE + BLOCK));
  const block = new Int32Array(buffer.buffer, STRIPE, BLOCK / 4);
  let [filled, length] = [0, 0];
  return {
    update(bytes) {
      length += bytes.length;
      for (let at = 0; at < bytes.length; ) {
        if (filled === BLOCK) {
          absorb(block);
          buffer.copyWithin(0, BLOCK);
          filled = 0;
        }
        const taken = Math.min(BLOCK - filled, bytes.length - at);
        buffer.set(bytes.subarray(at, at + taken), STRIPE + filled);
        filled += taken;
        at += taken;
      }
    },
    digest: () =>
      finish({
        length,
        bytes: () => buffer.subarray(STRIPE, STRIPE + filled),
        lastStripe: () => buffer.subarray(filled, STRIPE + filled),
      }),
  };
}

// State and blocks are words of 32 bits, the low one of a number first.

function absorb64(state: Int32Array, words: Int32Array, length: number): void {
  for (let at = 0; at < length / 4; at += 2) {
    const lane = at & 7;
    product(words[at]!, words[at + 1]!, PRIME_2_LOW, PRIME_2_HIGH);
    const low = (state[lane]! + resultLow) | 0;
    const high = (state[lane + 1]! + resultHigh + carry(low, resultLow)) | 0;
    product((low << 31) | (high >>> 1), (high << 31) | (low >>> 1), PRIME_1_LOW, PRIME_1_HIGH);
    state[lane] = resultLow;
    state[lane + 1] = resultHigh;
  }
}

function absorb3(state: Int32Array, words: Int32Array, length: number): void {
  for (let stripe = 0; stripe < length / STRIPE; stripe++) stripe3(state, words, stripe * 16, stripe * 8);
  if (length === BLOCK) scramble(state);
}

/** 64 bytes, from a word of `words` on, with the secret from a byte on. */
function stripe3(state: Int32Array, words: Int32Array, from: number, secretFrom: number): void {
  for (let lane = 0; lane < 16; lane += 2) {
    const [low, high] = [words[from + lane]!, words[from + lane + 1]!];
    // The number itself goes to its neighbour.
    addTo(state, lane ^ 2, low, high);
    product32(low ^ SECRET_WORDS[secretFrom + lane * 4]!, high ^ SECRET_WORDS[secretFrom + lane * 4 + 4]!);
    addTo(state, lane, resultLow, resultHigh);
  }
}

function scramble(state: Int32Array): void {
  for (let lane = 0; lane < 16; lane += 2) {
    const [low, high] = [state[lane]!, state[lane + 1]!];
    const secretAt = SECRET.length - STRIPE + lane * 4;
    product(low ^ (high >>> 15) ^ SECRET_WORDS[secretAt]!, high ^ SECRET_WORDS[secretAt + 4]!, PRIME32_1, 0);
    state[lane] = resultLow;
    state[lane + 1] = resultHigh;
  }
}

const lowOf = (value: bigint): number => Number(BigInt.asIntN(32, value));
const highOf = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));
const [PRIME_1_LOW, PRIME_1_HIGH] = [lowOf(PRIME_1), highOf(PRIME_1)];
const [PRIME_2_LOW, PRIME_2_HIGH] = [lowOf(PRIME_2), highOf(PRIME_2)];
/** The word at each byte of the secret. */
const SECRET_WORDS = Int32Array.from({ length: SECRET.length - 3 }, (_, at) => SECRET.readInt32LE(at));

// What `product` gives: an object for each would cost more than the multiplication.
let resultLow = 0;
let resultHigh = 0;

/** Of two numbers of 64 bits, its low 64. */
function product(aLow: number, aHigh: number, bLow: number, bHigh: number): void {
  product32(aLow, bLow);
  resultHigh = (resultHigh + Math.imul(aHigh, bLow) + Math.imul(aLow, bHigh)) | 0;
}

/** Of two numbers of 32 bits. Nothing on the way is over 32 bits. */
function product32(a: number, b: number): void {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16];
  const middle = Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16);
  const other = Math.imul(a0, b1) + (middle & 0xffff);
  resultLow = Math.imul(a, b);
  resultHigh = (Math.imul(a1, b1) + (middle >>> 16) + (other >>> 16)) | 0;
}

function addTo(state: Int32Array, lane: number, low: number, high: number): void {
  const sum = (state[lane]! + low) | 0;
  state[lane] = sum;
  state[lane + 1] = state[lane + 1]! + high + carry(sum, low);
}

/** Whether a sum of 32 bits ran over. */
const carry = (sum: number, addend: number): number => (sum >>> 0 < addend >>> 0 ? 1 : 0);

const halves = (values: readonly bigint[]): Int32Array =>
  Int32Array.from(values.flatMap((value) => [lowOf(value), highOf(value)]));

const whole = (state: Int32Array): bigint[] =>
  Array.from({ length: state.length / 2 }, (_, at) =>
    u64((BigInt(state[2 * at + 1]!) << 32n) | BigInt(state[2 * at]! >>> 0)),
  );

/** The words of a part of a buffer, wherever it stands. */
const wordsOf = (bytes: Buffer): Int32Array =>
  Int32Array.from({ length: Math.floor(bytes.length / 4) }, (_, at) => bytes.readInt32LE(4 * at));

// The end: numbers of 64 bits.

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const times = (a: bigint, b: bigint): bigint => u64(a * b);
const rotate = (value: bigint, by: bigint): bigint => u64(value << by) | (value >> (64n - by));
const swap = (value: bigint): bigint => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(u64(value));
  return bytes.readBigUInt64BE();
};
/** Both halves of the product of 128 bits, in one. */
const folded = (a: bigint, b: bigint): bigint => u64(a * b) ^ ((a * b) >> 64n);
const secret = (at: number): bigint => SECRET.readBigUInt64LE(at);
const secrets = (at: number): bigint => secret(at) ^ secret(at + 8);

function bigEndian(values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, at) => {
    bytes.writeBigUInt64BE(value, 8 * at);
  });
  return bytes;
}

function avalanche64(value: bigint): bigint {
  let mixed = times(value ^ (value >> 33n), PRIME_2);
  mixed = times(mixed ^ (mixed >> 29n), PRIME_3);
  return mixed ^ (mixed >> 32n);
}

function avalanche3(value: bigint): bigint {
  const mixed = times(value ^ (value >> 37n), MIX_1);
  return mixed ^ (mixed >> 32n);
}

function finish64(state: Int32Array, { length, bytes }: End): bigint {
  const rest = bytes();
  const stripes = rest.length - (rest.length % 32);
  absorb64(state, wordsOf(rest.subarray(0, stripes)), stripes);
  const round = (lane: bigint) => times(rotate(times(lane, PRIME_2), 31n), PRIME_1);
  let hash = PRIME_5;
  if (length >= 32) {
    const lanes = whole(state);
    hash = u64(lanes.reduce((sum, lane, at) => sum + rotate(lane, [1n, 7n, 12n, 18n][at]!), 0n));
    for (const lane of lanes) hash = u64((hash ^ round(lane)) * PRIME_1 + PRIME_4);
  }
  hash = u64(hash + BigInt(length));
  let at = stripes;
  for (; at + 8 <= rest.length; at += 8)
    hash = u64(rotate(hash ^ round(rest.readBigUInt64LE(at)), 27n) * PRIME_1 + PRIME_4);
  for (; at + 4 <= rest.length; at += 4)
    hash = u64(rotate(hash ^ times(BigInt(rest.readUInt32LE(at)), PRIME_1), 23n) * PRIME_2 + PRIME_3);
  for (; at < rest.length; at++) hash = times(rotate(hash ^ times(BigInt(rest[at]!), PRIME_5), 11n), PRIME_1);
  return avalanche64(hash);
}

const length64 = ({ length }: End): bigint => times(BigInt(length), PRIME_1);

/** The state when all is absorbed: whole stripes, and the last one, which may lie over others. */
function long3(state: Int32Array, { bytes, lastStripe }: End): bigint[] {
  const rest = bytes();
  const stripes = STRIPE * Math.floor((rest.length - 1) / STRIPE);
  absorb3(state, wordsOf(rest.subarray(0, stripes)), stripes);
  stripe3(state, wordsOf(lastStripe()), 0, SECRET.length - STRIPE - 7);
  return whole(state);
}

function merge(state: readonly bigint[], secretFrom: number, start: bigint): bigint {
  let sum = start;
  for (let at = 0; at < 8; at += 2)
    sum += folded(state[at]! ^ secret(secretFrom + 8 * at), state[at + 1]! ^ secret(secretFrom + 8 * at + 8));
  return avalanche3(u64(sum));
}

/** High, then low. */
const long128 = (state: readonly bigint[], length: number): [bigint, bigint] => [
  merge(state, SECRET.length - STRIPE - 11, u64(~times(BigInt(length), PRIME_2))),
  merge(state, 11, times(BigInt(length), PRIME_1)),
];

function short3(bytes: Buffer): bigint {
  const length = bytes.length;
  const n = BigInt(length);
  if (length === 0) return avalanche64(secrets(56));
  if (length <= 3) return avalanche64(few(bytes) ^ BigInt((SECRET.readUInt32LE(0) ^ SECRET.readUInt32LE(4)) >>> 0));
  if (length <= 8) {
    const keyed = (BigInt(bytes.readUInt32LE(length - 4)) | (BigInt(bytes.readUInt32LE(0)) << 32n)) ^ secrets(8);
    let mixed = times(keyed ^ rotate(keyed, 49n) ^ rotate(keyed, 24n), MIX_2);
    mixed = times(mixed ^ u64((mixed >> 35n) + n), MIX_2);
    return mixed ^ (mixed >> 28n);
  }
  if (length <= 16) {
    const low = bytes.readBigUInt64LE(0) ^ secrets(24);
    const high = bytes.readBigUInt64LE(length - 8) ^ secrets(40);
    return avalanche3(u64(n + swap(low) + high + folded(low, high)));
  }
  let sum = n * PRIME_1;
  if (length <= 128) {
    for (let pair = Math.floor((length - 1) / 32); pair >= 0; pair--)
      sum += mixed16(bytes, 16 * pair, 32 * pair) + mixed16(bytes, length - 16 * (pair + 1), 32 * pair + 16);
    return avalanche3(u64(sum));
  }
  for (let at = 0; at < 8; at++) sum += mixed16(bytes, 16 * at, 16 * at);
  sum = avalanche3(u64(sum));
  for (let at = 8; at < Math.floor(length / 16); at++) sum += mixed16(bytes, 16 * at, 16 * (at - 8) + 3);
  return avalanche3(u64(sum + mixed16(bytes, length - 16, 119)));
}

/** Of one byte to three: the first, the middle one, the last, and how many. */
const few = (bytes: Buffer): bigint =>
  BigInt(((bytes[0]! << 16) | (bytes[bytes.length >> 1]! << 24) | bytes.at(-1)! | (bytes.length << 8)) >>> 0);

const mixed16 = (bytes: Buffer, at: number, secretAt: number): bigint =>
  folded(bytes.readBigUInt64LE(at) ^ secret(secretAt), bytes.readBigUInt64LE(at + 8) ^ secret(secretAt + 8));

/** High, then low. */
function short128(bytes: Buffer): [bigint, bigint] {
  const length = bytes.length;
  const n = BigInt(length);
  if (length === 0) return [avalanche64(secrets(80)), avalanche64(secrets(64))];
  if (length <= 3) {
    const low = few(bytes);
    const swapped = swap(low) >> 32n;
    const high = ((swapped << 13n) | (swapped >> 19n)) & 0xffffffffn;
    const flip = (at: number) => BigInt((SECRET.readUInt32LE(at) ^ SECRET.readUInt32LE(at + 4)) >>> 0);
    return [avalanche64(high ^ flip(8)), avalanche64(low ^ flip(0))];
  }
  if (length <= 8) {
    const keyed = (BigInt(bytes.readUInt32LE(0)) | (BigInt(bytes.readUInt32LE(length - 4)) << 32n)) ^ secrets(16);
    const wide = keyed * u64(PRIME_1 + (n << 2n));
    let low = u64(wide);
    const high = u64((wide >> 64n) + (low << 1n));
    low ^= high >> 3n;
    low = times(low ^ (low >> 35n), MIX_2);
    return [avalanche3(high), low ^ (low >> 28n)];
  }
  if (length <= 16) {
    const [first, last] = [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(length - 8)];
    const wide = (first ^ last ^ secrets(32)) * PRIME_1;
    const flipped = last ^ secrets(48);
    const high = u64((wide >> 64n) + flipped + (flipped & 0xffffffffn) * (PRIME32_2 - 1n));
    const low = u64(wide + ((n - 1n) << 54n)) ^ swap(high);
    const end = low * PRIME_2;
    return [avalanche3(u64((end >> 64n) + high * PRIME_2)), avalanche3(u64(end))];
  }
  let [low, high] = [times(n, PRIME_1), 0n];
  const mix32 = (one: number, other: number, secretAt: number): void => {
    const sum = (at: number) => u64(bytes.readBigUInt64LE(at) + bytes.readBigUInt64LE(at + 8));
    low = u64(low + mixed16(bytes, one, secretAt)) ^ sum(other);
    high = u64(high + mixed16(bytes, other, secretAt + 16)) ^ sum(one);
  };
  if (length <= 128)
    for (let pair = Math.floor((length - 1) / 32); pair >= 0; pair--)
      mix32(16 * pair, length - 16 * (pair + 1), 32 * pair);
  else {
    for (let at = 0; at < 128; at += 32) mix32(at, at + 16, at);
    [low, high] = [avalanche3(low), avalanche3(high)];
    for (let at = 128; at + 32 <= length; at += 32) mix32(at, at + 16, at - 128 + 3);
    mix32(length - 16, length - 32, 103);
  }
  const end = u64(low * PRIME_1 + high * PRIME_4 + n * PRIME_2);
  return [u64(-avalanche3(end)), avalanche3(u64(low + high))];
}
