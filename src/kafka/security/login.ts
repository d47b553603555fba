/** How to log in (SASL). Names, passwords and tokens are asked for at every login, so that they may change meanwhile. */
export type Login = PasswordLogin | TokenLogin

export interface PasswordLogin {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  readonly credentials: () => { readonly username: string; readonly password: string }
}

export interface TokenLogin {
  readonly mechanism: 'oauthbearer'
  /** @throws {TokenError} */
  readonly token: () => Promise<string>
  /** SASL extensions, by name, such as those that say which cluster is meant. */
  readonly extensions: Readonly<Record<string, string>>
}
