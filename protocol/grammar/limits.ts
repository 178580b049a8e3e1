/** Every bound of grammars, with its reason. All of them are part of the sampling contract. */

/** Objects and arrays within each other, in an answer. Documents that people ask for have a dozen at most. */
export const MAX_NESTING = 32
/** Characters of a string whose schema names no lower bound: one that a model does not end must end all the same. */
export const MAX_STRING_LENGTH = 16_384
/** Bytes of a key that the schema does not name. */
export const MAX_KEY_LENGTH = 64
/** Digits of a number: as many as every double keeps, so that what is written is what is read. */
export const MAX_NUMBER_DIGITS = 15
/** Digits after the point, unless bounds need more. */
export const USUAL_DECIMALS = 6
/**
 * Bytes of a token that may take a document further in its structure. Longer ones are runs of blanks and
 * of punctuation; what a token may do ahead of a counter is bounded by this too.
 */
export const REACH = 64
/** Bytes of a token that is nothing but characters of a string. */
export const STRING_REACH = 256
/** Ways in which one text may be read at once. A schema beyond it is ambiguous by intention. */
export const MAX_WAYS = 512
/** Choices and references that are followed for one byte: some 2 ms. */
export const MAX_CHOICES = 16_384
/** Schemas within each other. */
export const MAX_SCHEMA_DEPTH = 64
/** Schemas and listed values in a request: they are checked in the process that holds libp2p, some 5 us for each. */
export const MAX_SCHEMA_NODES = 4096
