/**
 * @module @potluck/protocol
 *
 * The part that client and node share: protocol ids and limits, errors, messages and their validation, frames over a
 * stream, cards, receipts, the keys of the DHT, and the sampling contract.
 */
export { auditAnswer, type Audit, type AuditOptions } from './audit/audit.ts'
export { measureAnswer } from './audit/measure.ts'
export type { ParsedAnswer, ReadJob, Scorer } from './audit/scorer.ts'
export type { Misstatement, ReceivedAnswer } from './audit/structure.ts'
export { openAnswerRecord, type VerifiedAnswer } from './audit/verified-answer.ts'
export * from './constants.ts'
export { deadline } from './deadline.ts'
export * from './digest.ts'
export * from './errors.ts'
export * from './generation.ts'
export * from './grammar/index.ts'
export { boundedKadDht } from './kad/bounded-dht.ts'
export { depthsToTry, estimateServers, MERGE_AT, nextDepth, publishedDepths, SPLIT_AT } from './kad/depth.ts'
export {
  decodeKadReply,
  encodeAddProvider,
  encodeKadRequest,
  type KadPeer,
  type KadReply,
  type KadRequest
} from './kad/message.ts'
export { addProvider, askKad, type KadHost } from './kad/rpc.ts'
export { kadId, kadTarget, randomShards, shardCid, shardOf, topicText, type Topic } from './kad/topics.ts'
export { walk, type ClosestPeer, type WalkOptions } from './kad/walk.ts'
export * from './records/card.ts'
export * from './records/clock-skew.ts'
export { CardSet, type CardSetEntry, type CardSetOptions, type SampleOptions } from './records/card-set.ts'
export * from './records/dht.ts'
export * from './records/receipt.ts'
export { sample } from './sample.ts'
export * from './sampler/index.ts'
export * from './schema/index.ts'
export { offeredTools, outputConstraintOf } from './output-constraint.ts'
export { isUncheckedName, namesOf, publicLookup } from './names.ts'
export { isRelayedSubnet, subnetOf } from './subnet.ts'
export { SuspensionWatch, type SuspensionClock } from './suspension.ts'
export * from './transport/frame-stream.ts'
export { abortSilent } from './transport/silent-connections.ts'
export { pinned } from './transport/pinned.ts'
export { sparingWindows } from './transport/sparing-windows.ts'
export {
  decodeAuditReply,
  decodeAuditRequest,
  encodeAuditReply,
  encodeAuditRequest,
  VIOLATIONS,
  type AuditReply,
  type AuditRequest,
  type AuditResult,
  type Violation
} from './wire/audit.ts'
export { type AnswerRecord } from './wire/answer-record.ts'
export { commitment, isShareable, newOpening } from './wire/commitment.ts'
export { decodeCardReply, encodeCardReply, type CardReply } from './wire/card-reply.ts'
export {
  decodeClientFrame,
  encodeCredit,
  encodeRequest,
  type ClientFrame,
  type GenerateRequest
} from './wire/client-frame.ts'
export {
  decodeEmbedReply,
  decodeEmbedRequest,
  encodeEmbedReply,
  encodeEmbedRequest,
  type EmbedReply,
  type EmbedRequest,
  type Embeddings
} from './wire/embed.ts'
export { decodeFraudProof, encodeFraudProof, type FraudProof } from './wire/fraud-proof.ts'
export { decodeNodeFrame, encodeNodeFrame, type ErrorFrame, type NodeFrame } from './wire/node-frame.ts'
