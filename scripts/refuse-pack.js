// The sources are TypeScript, which Node refuses to run from node_modules. `npm run build` makes folders that can be packed.
console.error(
  'Cannot pack the sources. Run `npm run build` in the repository, and pack the folder `dist` of this package.'
)
process.exit(1)
