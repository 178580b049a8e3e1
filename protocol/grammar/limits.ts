/** Every limit of grammars, with its reason. All of them are part of the sampling contract. */

/** Levels of nested objects and arrays in an answer. Documents in practice have at most a dozen. */
export const MAX_NESTING = 32
/** Characters of a string, whatever its `maxLength`. It ends a string that the model does not end. */
export const MAX_STRING_LENGTH = 16_384
/** Bytes of a key that the schema does not name. */
export const MAX_KEY_LENGTH = 64
/** Digits of a number. A double keeps any 15 digits, so the reader of the document gets the number that was written. */
export const MAX_NUMBER_DIGITS = 15
/** Digits after the point, unless the bounds need more. */
export const USUAL_DECIMALS = 6
/**
 * Bytes of a token that can change the structure of a document. Longer tokens are runs of blanks or punctuation.
 * Counters that are further away than this many bytes do not affect which tokens are allowed.
 */
export const REACH = 64
/** Bytes of a token that contains only characters of a string. */
export const STRING_REACH = 256
/** Readings of one text at the same time. A schema that needs more is ambiguous on purpose. */
export const MAX_WAYS = 512
/** Choices and references that are followed for one byte. This many take about 2 ms. */
export const MAX_CHOICES = 16_384
/** Levels of nested schemas. */
export const MAX_SCHEMA_DEPTH = 64
/** Schemas and listed values in a request. Each takes about 5 us to check, in the process that runs libp2p. */
export const MAX_SCHEMA_NODES = 4096
