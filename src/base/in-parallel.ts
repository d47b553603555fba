/** Runs `work` over `items`, at most `count` at once. The first failure rejects; what runs then is not waited for. */
export async function inParallel<T>(
  count: number,
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) await work(items[next++] as T)
  }
  await Promise.all(Array.from({ length: Math.min(count, items.length) }, worker))
}
