// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html, and the pages of the four operations
export const DAY_MS = 24 * 60 * 60 * 1000;
/** AWS says "about four hours"; ours from the first record on, so that a stream in which nothing happens needs no clock. */
export const SHARD_MS = 4 * 60 * 60 * 1000;
/** AWS does not say when a shard is full. Counted as SizeBytes. */
export const SHARD_BYTES = 16 * 1024 * 1024;
export const ITERATOR_MS = 15 * 60 * 1000;
export const MOST_RECORDS = 1000;
export const MOST_RECORD_BYTES = 1024 * 1024;
export const MOST_SHARDS_LISTED = 100;
export const MOST_STREAMS_LISTED = 100;
