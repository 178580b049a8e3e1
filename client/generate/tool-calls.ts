import { PotluckError, type ToolCall, type ToolCallDelta } from '@potluck/protocol'

/** @throws PotluckError `protocol_violation` for a piece that arrives before its call */
export function addPiece(calls: ToolCall[], { index, id, name, arguments: text }: ToolCallDelta): void {
  if (id !== undefined && name !== undefined && index === calls.length) calls.push({ id, name, arguments: '' })
  const call = calls[index]
  if (call === undefined) throw new PotluckError('protocol_violation', 'a piece of a tool call arrived before the call')
  call.arguments += text
}
