package kerberos

import "github.com/jcmturner/gokrb5/v8/iana/etypeID"

const rc4 = etypeID.RC4_HMAC

// keySize is the length of an etype's keys in bytes; zero for one that is not
// spoken. Not gokrb5's GetKeyByteSize, which is wrong for etype 20.
func keySize(etype int32) int {
	switch etype {
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA256_128, rc4:
		return 16
	case etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA384_192:
		return 32
	}
	return 0
}

// longEnough says whether a ciphertext holds its confounder, its checksum and at
// least a byte: gokrb5 cuts them off without looking, and panics where they are
// not. An etype that is not spoken has no length that is enough.
func longEnough(etype int32, cipher []byte) bool {
	least := 0
	switch etype {
	case etypeID.AES128_CTS_HMAC_SHA1_96, etypeID.AES256_CTS_HMAC_SHA1_96:
		least = 16 + 12
	case etypeID.AES128_CTS_HMAC_SHA256_128:
		least = 16 + 16
	case etypeID.AES256_CTS_HMAC_SHA384_192:
		least = 16 + 24
	case rc4:
		least = 8 + 16
	default:
		return false
	}
	return len(cipher) > least
}

// etypeName is the name that MIT's klist -e shows.
func etypeName(etype int32) string {
	switch etype {
	case etypeID.AES128_CTS_HMAC_SHA1_96:
		return "aes128-cts-hmac-sha1-96"
	case etypeID.AES256_CTS_HMAC_SHA1_96:
		return "aes256-cts-hmac-sha1-96"
	case etypeID.AES128_CTS_HMAC_SHA256_128:
		return "aes128-cts-hmac-sha256-128"
	case etypeID.AES256_CTS_HMAC_SHA384_192:
		return "aes256-cts-hmac-sha384-192"
	case rc4:
		return "rc4-hmac"
	}
	return ""
}
