/**
 * A promise that records whether it has a listener. Without one, its rejection does not end the process. Promises that
 * are derived from it are ordinary ones. It is a subclass, because `await` does not call the `then` of a plain promise.
 */
export class CallPromise<T> extends Promise<T> {
  hasListener = false

  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  constructor(executor: ConstructorParameters<typeof Promise<T>>[0]) {
    super(executor)
    super.then(undefined, () => {})
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.hasListener = true
    return super.then(onFulfilled, onRejected)
  }
}
