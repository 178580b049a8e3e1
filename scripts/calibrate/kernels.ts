/**
 * Makes this process compute as another machine does. node-llama-cpp ships llama.cpp's kernels for several generations
 * of processors, and llama.cpp loads the newest that the processor supports. Here it finds only one of them.
 */
import { copyFile, mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { registerHooks } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The package that holds the library for Linux on x64. */
const PACKAGE = '@node-llama-cpp/linux-x64'
const FOLDER = 'linux-x64'
const CACHE = new URL('../../.cache/kernels/', import.meta.url)

/** The kernels to compare with those of this machine: of two older generations, and without vectors of 512 bits. */
export const OTHER_KERNELS = ['x64', 'sse42', 'haswell'] as const

/**
 * Call this before node-llama-cpp loads its library.
 *
 * @param name such as "haswell"
 */
export async function useKernels(name: string): Promise<void> {
  const original = join(dirname(fileURLToPath(import.meta.resolve(PACKAGE))), '..', 'bins', FOLDER)
  const binsDir = fileURLToPath(new URL(`${name}/`, CACHE))
  await mkdir(join(binsDir, FOLDER), { recursive: true })
  for (const file of await readdir(original)) {
    if (file.startsWith('libggml-cpu-') && file !== `libggml-cpu-${name}.so`) continue
    // Another process can have loaded the library at this path, so it must not change in place.
    const temporary = join(binsDir, `${file}.${process.pid}`)
    await copyFile(join(original, file), temporary)
    await rename(temporary, join(binsDir, FOLDER, file))
  }
  const { default: packaged } = (await import(join(original, '..', '..', 'package.json'), {
    with: { type: 'json' }
  })) as { default: { version: string } }
  const replacement = join(binsDir, 'index.mjs')
  const bins = JSON.stringify({ binsDir, packageVersion: packaged.version })
  await writeFile(replacement, `export const getBinsDir = () => (${bins})\n`)
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === PACKAGE ? { url: pathToFileURL(replacement).href, shortCircuit: true } : next(specifier, context)
  })
}
