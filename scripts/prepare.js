// npm runs this file after an installation. It is plain JavaScript, because without the development dependencies the Node of
// the system runs it, which can be too old for TypeScript.
try {
  import.meta.resolve('rolldown')
} catch {
  console.log('The page of the gateway is not built, because the development dependencies are left out.')
  process.exit()
}
const { buildPage } = await import('./page.ts')
await buildPage()
