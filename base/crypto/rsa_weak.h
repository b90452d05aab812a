/*
 * rsa_weak: what can be seen of a bad RSA modulus without its factors. Pure; the policy around it is pki/request's.
 */
#ifndef BASE_CRYPTO_RSA_WEAK_H
#define BASE_CRYPTO_RSA_WEAK_H

#include "base/core/buf.h"

enum rsa_weakness {
    RSA_SOUND,
    RSA_EVEN,
    RSA_SMALL_FACTOR,                /* a prime below 752 divides it */
    RSA_ROCA,                        /* made by Infineon's RSALib (CVE-2017-15361): factors in hours to weeks */
    RSA_CLOSE_PRIMES,                /* Fermat's method finds the factors within 100 rounds (CVE-2022-26320) */
};

/* n: big-endian, at most 2048 octets; zero and one count as even. */
enum rsa_weakness rsa_weakness_find(struct str n);

#endif
