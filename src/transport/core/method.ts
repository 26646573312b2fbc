/** What a connection must know of a method to bound and schedule its messages. */
export interface MethodSpec {
  /** Largest message of the caller and of the answer. */
  readonly maxRequestBytes: number;
  readonly maxAnswerBytes: number;
  /** Messages are worth compressing in that direction. */
  readonly isBulkRequest: boolean;
  readonly isBulkAnswer: boolean;
}
