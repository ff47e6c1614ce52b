// Two pixels in one vector, four lanes each; the fourth lane is unused.
#pragma once
#include <cstdint>
#include <cstring>

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace fastscale {

typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Ints __attribute__((vector_size(32)));
typedef uint8_t Bytes __attribute__((vector_size(8)));

// The pixels at a and b; one byte beyond each is read too.
static inline Ints two_pixels(const uint8_t* a, const uint8_t* b) {
    uint32_t x, y;
    std::memcpy(&x, a, 4);
    std::memcpy(&y, b, 4);
#ifdef __AVX2__  // g++ compiles the other branch to twenty instructions
    __m128i both = _mm_insert_epi32(_mm_cvtsi32_si128(int(x)), int(y), 1);
    return (Ints)_mm256_cvtepu8_epi32(both);
#else
    uint64_t both = x | uint64_t(y) << 32;
    Bytes bytes;
    std::memcpy(&bytes, &both, 8);
    return __builtin_convertvector(bytes, Ints);
#endif
}

static inline Floats as_floats(Ints lanes) { return __builtin_convertvector(lanes, Floats); }

// Lanes of 0 to 255 as eight bytes.
static inline uint64_t as_bytes(Ints lanes) {
#ifdef __AVX2__
    __m256i all = (__m256i)lanes;
    __m128i low = _mm256_castsi256_si128(all), high = _mm256_extracti128_si256(all, 1);
    __m128i words = _mm_packus_epi32(low, high);
    return uint64_t(_mm_cvtsi128_si64(_mm_packus_epi16(words, words)));
#else
    Bytes bytes = __builtin_convertvector(lanes, Bytes);
    uint64_t both;
    std::memcpy(&both, &bytes, 8);
    return both;
#endif
}

// Output rows, (side, 3) uint8 each, mirrored on request.
struct Output {
    uint8_t* pixels;
    int side;
    bool flipped;

    uint8_t* row(int j) const { return pixels + size_t(j) * side * 3; }

    // The address of pixel k of a row.
    uint8_t* at(int j, int k) const { return row(j) + (flipped ? side - 1 - k : k) * 3; }

    // Pixels k and k + 1 of row j, from lanes of 0 to 255.
    inline void two(int j, int k, Ints lanes) const {
        uint64_t both = as_bytes(lanes);  // bytes, lowest first: r g b - r g b -
        uint64_t first = both & 0xFFFFFF, second = both >> 32 & 0xFFFFFF;
        if (k + 4 > side) {
            std::memcpy(at(j, k), &first, 3);
            if (k + 1 < side) std::memcpy(at(j, k + 1), &second, 3);
        } else if (flipped) {  // writes two more bytes before, which the next pixels overwrite
            both = (second | first << 24) << 16;
            std::memcpy(at(j, k + 1) - 2, &both, 8);
        } else {  // writes two more bytes behind
            both = first | second << 24;
            std::memcpy(at(j, k), &both, 8);
        }
    }
};

}  // namespace fastscale
