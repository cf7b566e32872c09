// Base BBS as @digitalbazaar/bbs-signatures does it. Octet strings come and go as hexadecimal.
//
// Reads one JSON list of commands from standard input, each with `act` (sign, verify, derive,
// verifyProof) and `ciphersuite`; prints the list of answers.
import * as bbs from '@digitalbazaar/bbs-signatures';

const octets = text => new Uint8Array(Buffer.from(text, 'hex'));
const hex = data => Buffer.from(data).toString('hex');

const acts = {
  async sign({ciphersuite, secretKey, header, messages}) {
    return hex(await bbs.sign({
      ciphersuite, secretKey: octets(secretKey), header: octets(header),
      messages: messages.map(octets)
    }));
  },
  verify({ciphersuite, publicKey, signature, header, messages}) {
    return bbs.verifySignature({
      ciphersuite, publicKey: octets(publicKey), signature: octets(signature),
      header: octets(header), messages: messages.map(octets)
    });
  },
  async derive({ciphersuite, publicKey, signature, header, messages, presentationHeader, indexes}) {
    return hex(await bbs.deriveProof({
      ciphersuite, publicKey: octets(publicKey), signature: octets(signature),
      header: octets(header), messages: messages.map(octets),
      presentationHeader: octets(presentationHeader), disclosedMessageIndexes: indexes
    }));
  },
  verifyProof({ciphersuite, publicKey, proof, header, presentationHeader, messages, indexes}) {
    return bbs.verifyProof({
      ciphersuite, publicKey: octets(publicKey), proof: octets(proof), header: octets(header),
      presentationHeader: octets(presentationHeader),
      disclosedMessages: messages.map(octets), disclosedMessageIndexes: indexes
    });
  }
};

const chunks = [];
for await(const chunk of process.stdin) {
  chunks.push(chunk);
}
const answers = [];
for(const {act, ...given} of JSON.parse(Buffer.concat(chunks).toString())) {
  answers.push(await acts[act](given));
}
console.log(JSON.stringify(answers));
