export const HONEST: readonly (readonly number[])[] = []
