// A wallet built from other people's libraries: @openid4vc for the protocols, @sd-jwt/sd-jwt-vc
// for the credential, jose for keys and encryption. It reads one JSON command from standard input
// and writes one JSON answer. The Python tests start it against running processes.
//
//   {"act": "receive", "offer": URI, "txCode": "123456", "count": 20}
//   {"act": "present", "request": URI, "credential": TEXT, "key": JWK, "claims": ["resident"]}
//   {"act": "issue", "claims": {...}, "disclosable": [...], "shown": [...], "nonce": N, "audience": A}
//   {"act": "verify", "credential": TEXT, "key": issuer JWK, "statusKey": status list JWK}

import { createHash, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'

import { clientAuthenticationNone, setGlobalConfig } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import * as jose from 'jose'

setGlobalConfig({ allowInsecureUrls: true }) // loopback has no TLS

const { subtle } = webcrypto
const ES256 = { name: 'ECDSA', hash: 'SHA-256' }
const P256 = { name: 'ECDSA', namedCurve: 'P-256' }
const utf8 = (text) => new TextEncoder().encode(text)
const base64url = (bytes) => Buffer.from(bytes).toString('base64url')
const publicPart = ({ kty, crv, x, y }) => ({ kty, crv, x, y })

const keys = new Map() // public x coordinate -> private JWK

async function sign(jwk, data) {
  const key = await subtle.importKey('jwk', jwk, P256, false, ['sign'])
  return base64url(await subtle.sign(ES256, key, utf8(data)))
}

async function verify(jwk, data, signature) {
  const key = await subtle.importKey('jwk', publicPart(jwk), P256, false, ['verify'])
  return subtle.verify(ES256, key, Buffer.from(signature, 'base64url'), utf8(data))
}

const subjectAltNames = (certificate, kind) =>
  (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((entry) => entry.startsWith(`${kind}:`))
    .map((entry) => entry.slice(kind.length + 1))

const callbacks = {
  hash: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
  generateRandom: (length) => randomBytes(length),
  clientAuthentication: clientAuthenticationNone({ clientId: 'third-party-wallet' }),
  signJwt: async (signer, { header, payload }) => {
    const jwk = keys.get(signer.publicJwk.x)
    const jwt = await new jose.SignJWT(payload).setProtectedHeader(header).sign(await jose.importJWK(jwk, 'ES256'))
    return { jwt, signerJwk: publicPart(jwk) }
  },
  verifyJwt: async (signer, { compact }) => {
    const certificate = new X509Certificate(Buffer.from(signer.x5c[0], 'base64'))
    try {
      await jose.compactVerify(compact, certificate.publicKey, { algorithms: ['ES256'] })
      return { verified: true, signerJwk: certificate.publicKey.export({ format: 'jwk' }) }
    } catch {
      return { verified: false }
    }
  },
  encryptJwe: async (encryptor, data) => {
    const jwe = await new jose.CompactEncrypt(utf8(data))
      .setProtectedHeader({ alg: encryptor.alg, enc: encryptor.enc, kid: encryptor.publicJwk.kid })
      .encrypt(await jose.importJWK(encryptor.publicJwk, encryptor.alg))
    return { jwe, encryptionJwk: encryptor.publicJwk }
  },
  decryptJwe: async () => ({ decrypted: false }),
  getX509CertificateMetadata: (text) => {
    const certificate = new X509Certificate(Buffer.from(text, 'base64'))
    return { sanDnsNames: subjectAltNames(certificate, 'DNS'), sanUriNames: subjectAltNames(certificate, 'URI') }
  },
  fetch,
}

async function receive({ offer, txCode, count }) {
  const client = new Openid4vciClient({ callbacks })
  const credentialOffer = await client.resolveCredentialOffer(offer)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
    credentialOffer,
    issuerMetadata,
    txCode,
  })
  const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
  const [credentialConfigurationId] = credentialOffer.credential_configuration_ids
  const holders = []
  const jwt = []
  for (let i = 0; i < count; i += 1) {
    const pair = await jose.generateKeyPair('ES256', { extractable: true })
    const jwk = await jose.exportJWK(pair.privateKey)
    keys.set(jwk.x, jwk)
    holders.push(jwk)
    const proof = await client.createCredentialRequestJwtProof({
      issuerMetadata,
      credentialConfigurationId,
      nonce,
      signer: { method: 'jwk', alg: 'ES256', publicJwk: publicPart(jwk) },
    })
    jwt.push(proof.jwt)
  }
  const { credentialResponse } = await client.retrieveCredentials({
    issuerMetadata,
    accessToken: accessTokenResponse.access_token,
    credentialConfigurationId,
    proofs: { jwt },
  })
  return {
    configuration: credentialConfigurationId,
    issuer: issuerMetadata.credentialIssuer.credential_issuer,
    credentials: credentialResponse.credentials.map(({ credential }, i) => ({ credential, key: holders[i] })),
  }
}

const holderInstance = (key) =>
  new SDJwtVcInstance({
    hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
    hashAlg: 'sha-256',
    saltGenerator: (length) => base64url(randomBytes(length)),
    signAlg: 'ES256',
    kbSignAlg: 'ES256',
    kbSigner: (data) => sign(key, data),
    kbVerifier: (data, signature, payload) => verify(payload.cnf.jwk, data, signature),
  })

async function present({ request, credential, key, claims }) {
  const client = new Openid4vpClient({ callbacks })
  const parsed = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: request })
  const resolved = await client.resolveOpenId4vpAuthorizationRequest({
    authorizationRequestPayload: parsed.params,
    wallet: {},
  })
  const { authorizationRequestPayload } = resolved
  const [query] = authorizationRequestPayload.dcql_query.credentials
  const frame = Object.fromEntries(claims.map((name) => [name, true]))
  const presentation = await holderInstance(key).present(credential, frame, {
    kb: {
      payload: {
        nonce: authorizationRequestPayload.nonce,
        aud: authorizationRequestPayload.client_id,
        iat: Math.floor(Date.now() / 1000),
      },
    },
  })
  const encrypted = authorizationRequestPayload.response_mode === 'direct_post.jwt'
  const answer = await client.createOpenid4vpAuthorizationResponse({
    authorizationRequestPayload,
    authorizationResponsePayload: { vp_token: { [query.id]: [presentation] } },
    jarm: encrypted
      ? {
          encryption: { nonce: base64url(randomBytes(16)) },
          serverMetadata: {
            authorization_signing_alg_values_supported: [],
            authorization_encryption_alg_values_supported: ['ECDH-ES'],
            authorization_encryption_enc_values_supported: ['A128GCM', 'A256GCM'],
          },
        }
      : undefined,
  })
  const { response } = await client.submitOpenid4vpAuthorizationResponse({
    authorizationRequestPayload,
    authorizationResponsePayload: answer.authorizationResponsePayload,
    jarm: answer.jarm,
  })
  return {
    clientId: authorizationRequestPayload.client_id,
    responseMode: authorizationRequestPayload.response_mode,
    query: query.claims.map(({ path }) => path.join('.')),
    presentation,
    status: response.status,
    body: await response.text(),
  }
}

async function verifyCredential({ credential, key, statusKey }) {
  const instance = new SDJwtVcInstance({
    hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
    hashAlg: 'sha-256',
    verifier: (data, signature) => verify(key, data, signature),
    statusVerifier: (data, signature) => verify(statusKey, data, signature), // it fetches the list itself
  })
  const { payload } = await instance.verify(credential)
  return { payload }
}

async function issue({ claims, disclosable, shown, nonce, audience }) {
  const [issuer, holder] = await Promise.all(
    [0, 1].map(async () => jose.exportJWK((await jose.generateKeyPair('ES256', { extractable: true })).privateKey)),
  )
  const instance = new SDJwtVcInstance({
    hasher: (data, algorithm) => createHash(algorithm.replace('-', '')).update(data).digest(),
    hashAlg: 'sha-256',
    saltGenerator: (length) => base64url(randomBytes(length)),
    signAlg: 'ES256',
    signer: (data) => sign(issuer, data),
    kbSignAlg: 'ES256',
    kbSigner: (data) => sign(holder, data),
  })
  const payload = { ...claims, cnf: { jwk: publicPart(holder) } }
  const credential = await instance.issue(payload, { _sd: disclosable, _sd_decoy: 2 })
  const frame = Object.fromEntries(shown.map((name) => [name, true]))
  const presentation = await instance.present(credential, frame, {
    kb: { payload: { nonce, aud: audience, iat: Math.floor(Date.now() / 1000) } },
  })
  return { presentation, key: publicPart(issuer) }
}

const acts = { receive, present, issue, verify: verifyCredential }
const command = JSON.parse(readFileSync(0, 'utf8'))
try {
  process.stdout.write(JSON.stringify(await acts[command.act](command)))
} catch (error) {
  process.stdout.write(JSON.stringify({ error: String(error?.message ?? error), cause: String(error?.cause ?? ''), stack: error?.stack }))
  process.exitCode = 1
}
