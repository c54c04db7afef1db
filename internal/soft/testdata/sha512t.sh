#!/bin/sh
# Makes sha512t.txt with the openssl command: digests and codes of SHA-512/224
# and SHA-512/256. A line has the hash function, the key or "-", the input, and
# the result, in hexadecimal.
set -e
cd "$(dirname "$0")"
hex() { od -An -v -tx1 | tr -d ' \n'; }
inputs() {
	printf '\n'
	printf 'abc' | hex && echo
	printf 'what do ya want for nothing?' | hex && echo
	head -c 111 /dev/zero | hex && echo
	head -c 112 /dev/zero | tr '\0' '\377' | hex && echo
	head -c 300 /dev/zero | tr '\0' 'a' | hex && echo
}
for name in sha512-224 sha512-256; do
	inputs | while read -r input; do
		for key in - 4a656665 0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b "$(head -c 131 /dev/zero | tr '\0' '\252' | hex)"; do
			if [ "$key" = - ]; then
				set -- -"$name"
			else
				set -- -"$name" -mac HMAC -macopt "hexkey:$key"
			fi
			out=$(printf %s "$input" | sed 's/../\\x&/g' | xargs -0 printf %b 2>/dev/null | openssl dgst "$@" -r | cut -d' ' -f1)
			echo "$name $key ${input:--} $out"
		done
	done
done >sha512t.txt
