/**
 * `npm run calibrate -- [TOKENS]`: measures how far the logits of honest nodes differ, with the model crumb, and writes
 * `client/evidence/honest.ts`. Run it after every change of the engine or of the embedded model.
 *
 * TOKENS: answer tokens for each variation (default 40,000).
 *
 * `npm run calibrate -- fingerprints [TOKENS] [MODEL.gguf]`: prints how far the fingerprints of honest machines differ,
 * and those of machines that compute another file. Run it on a new kind of machine, and with other models. See
 * docs/audits.md.
 *
 * TOKENS: answer tokens (default 3,000). MODEL.gguf: a file of type F32 or Q8_0 (default: crumb).
 */
import { calibrate } from './calibrate/calibrate.ts'
import { compareFingerprints } from './calibrate/fingerprints.ts'

const interrupted = new AbortController()
process.once('SIGINT', () => interrupted.abort(new Error('Interrupted.')))

const [first, tokens, modelPath] = process.argv.slice(2)
if (first === 'fingerprints') await compareFingerprints(Number(tokens ?? 3_000), modelPath, interrupted.signal)
else await calibrate(Number(first ?? 40_000), interrupted.signal)
