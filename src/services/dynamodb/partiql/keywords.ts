// Words that may not stand bare for a name: the reserved words of SQL-92, less parts of dates and ONLY (AWS was seen to
// take it), and PartiQL's own.
// https://github.com/partiql/partiql-lang: a name that is one of them is written in double quotes.

/** In lower case. */
export const isKeyword = (word: string): boolean => KEYWORDS.has(word);

const KEYWORDS: ReadonlySet<string> = new Set(
  `absolute action add all allocate alter and any are as asc assertion at authorization avg begin between bit bit_length by cascade
  cascaded case cast catalog char character character_length char_length check close coalesce collate collation column commit connect
  connection constraint constraints continue convert corresponding count create cross current current_date current_time
  current_timestamp current_user cursor date deallocate dec decimal declare default deferrable deferred delete desc describe descriptor
  diagnostics disconnect distinct domain double drop else end escape except exception exec execute exists external extract false fetch
  first float for foreign found from full get global go goto grant group having identity immediate in indicator initially inner input
  insensitive insert int integer intersect interval into is isolation join key language last left level like local lower match max min
  module names national natural nchar next no not null nullif numeric octet_length of on open option or order outer output overlaps
  pad partial position precision prepare preserve primary prior privileges procedure public read real references relative restrict revoke
  right rollback rows schema scroll section select session session_user set size smallint some space sql sqlcode sqlerror sqlstate
  substring sum system_user table temporary then time timestamp to transaction translate translation trim true union unique unknown
  update upper usage user using value values varchar varying view when whenever where with work write zone
  missing pivot unpivot limit tuple remove returning bool boolean string symbol clob blob struct list sexp bag`.split(
    /\s+/,
  ),
);
