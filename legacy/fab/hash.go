package fab

import (
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// Bounds on what a stored hash may cost, some five to sixteen times what
// Werkzeug writes: a hostile row must not take the process down.
const (
	maxStored     = 1024      // bytes of the stored text
	maxIterations = 5_000_000 // PBKDF2
	maxScryptSize = 1 << 20   // N*r, that is 128 MiB
	maxScryptWork = 1 << 22   // N*r*p
)

// scryptKeyLen is the length that Python's hashlib.scrypt gives by default.
const scryptKeyLen = 64

// defaultScrypt is the method of a stored hash that says no more than "scrypt".
const defaultScrypt = "scrypt:32768:8:1"

var errHashFormat = errors.New("not a password hash that Werkzeug 2 or 3 writes, or one beyond the bounds")

// A storedHash is the text in ab_user.password, "method$salt$hex", taken apart
// (_hash_internal in werkzeug/security.py).
type storedHash struct {
	method string // with its parameters spelled out
	salt   string // literal text, not decoded
	sum    string // lower-case hexadecimal
	derive func(password, salt string) ([]byte, error)
}

// parseHash takes stored apart. A PBKDF2 hash without a count is one of the
// given number of iterations: the default of the Werkzeug that wrote it.
func parseHash(stored string, iterations int) (storedHash, error) {
	parts := strings.SplitN(stored, "$", 3)
	if len(parts) != 3 || len(stored) > maxStored {
		return storedHash{}, errHashFormat
	}
	h := storedHash{salt: parts[1], sum: parts[2]}
	name, args, given := strings.Cut(parts[0], ":")
	var err error
	switch name {
	case "pbkdf2":
		err = h.pbkdf2(args, given, iterations)
	case "scrypt":
		if !given {
			_, args, _ = strings.Cut(defaultScrypt, ":")
		}
		err = h.scrypt(args)
	default:
		err = errHashFormat
	}
	return h, err
}

// digests are those of Python's hashlib under which people have PBKDF2 hashes.
// It is the count that makes them strong, whatever the digest.
var digests = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

func (h *storedHash) pbkdf2(args string, given bool, iterations int) error {
	if !given {
		args = "sha256"
	}
	name, count, counted := strings.Cut(args, ":")
	if counted {
		iterations = number(count, maxIterations)
	}
	digest := digests[name]
	if digest == nil || iterations == 0 {
		return errHashFormat
	}
	h.method = "pbkdf2:" + name + ":" + strconv.Itoa(iterations)
	h.derive = func(password, salt string) ([]byte, error) {
		return pbkdf2.Key(digest, password, []byte(salt), iterations, digest().Size())
	}
	return nil
}

func (h *storedHash) scrypt(args string) error {
	fields := strings.Split(args, ":")
	if len(fields) != 3 {
		return errHashFormat
	}
	n, r, p := number(fields[0], maxScryptSize), number(fields[1], maxScryptSize), number(fields[2], maxScryptWork)
	if n < 2 || n&(n-1) != 0 || r == 0 || p == 0 || n*r > maxScryptSize || n*r*p > maxScryptWork {
		return errHashFormat
	}
	h.method = "scrypt:" + args
	h.derive = func(password, salt string) ([]byte, error) {
		return scrypt.Key([]byte(password), []byte(salt), n, r, p, scryptKeyLen)
	}
	return nil
}

// number reads a plain decimal number from 1 to limit, or gives zero.
func number(s string, limit int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > limit || strconv.Itoa(n) != s {
		return 0
	}
	return n
}

// matches says whether password is the one that was hashed.
func (h storedHash) matches(password string) (bool, error) {
	sum, err := h.derive(password, h.salt)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum)), []byte(h.sum)) == 1, nil
}
