// Makes hash_ml_dsa.json with @noble/post-quantum 0.7.1 from npm: signatures of
// HashML-DSA, deterministic, with every hash function. Where the hash function is
// weaker than the parameter set, which noble's prehash refuses, its internal
// interface signs the same formatted message.
import { writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { getMessagePrehash } from '@noble/post-quantum/utils.js';
import { sha224, sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_224, sha3_256, sha3_384, sha3_512, shake128_32, shake256_64 } from '@noble/hashes/sha3.js';

const hashes = {
  'SHA-224': sha224, 'SHA-256': sha256, 'SHA-384': sha384, 'SHA-512': sha512,
  'SHA3-224': sha3_224, 'SHA3-256': sha3_256, 'SHA3-384': sha3_384, 'SHA3-512': sha3_512,
  'SHAKE128': shake128_32, 'SHAKE256': shake256_64,
};
const bytes = (label, n) => new Uint8Array(createHash('shake256', { outputLength: n }).update(label).digest());
const hex = (b) => Buffer.from(b).toString('hex');
const cases = [];
let count = 0;
for (const [set, scheme] of Object.entries({ 'ML-DSA-44': ml_dsa44, 'ML-DSA-65': ml_dsa65, 'ML-DSA-87': ml_dsa87 })) {
  for (const [name, hash] of Object.entries(hashes)) {
    const label = `${set} ${name}`;
    const seed = bytes(label + ' seed', 32);
    const message = bytes(label + ' message', 11 * count);
    const context = bytes(label + ' context', count % 3 === 0 ? 0 : count % 3 === 1 ? 7 * count : 255);
    count++;
    const { secretKey, publicKey } = scheme.keygen(seed);
    let signature;
    try {
      const prehash = scheme.prehash(hash);
      signature = prehash.sign(message, secretKey, { context, extraEntropy: false });
      if (!prehash.verify(signature, message, publicKey, { context })) throw new Error(label);
    } catch (e) {
      if (!/strength too low/.test(e.message)) throw e;
      signature = scheme.internal.sign(getMessagePrehash(hash, message, context), secretKey, { extraEntropy: false });
    }
    cases.push({ set, hash: name, seed: hex(seed), message: hex(message), context: hex(context), signature: hex(signature) });
  }
}
writeFileSync(new URL('hash_ml_dsa.json', import.meta.url), JSON.stringify(cases, null, 1) + '\n');
