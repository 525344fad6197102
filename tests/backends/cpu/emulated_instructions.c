/* The processor's instructions on words as scalar C, from their pseudocode in Intel's "Architecture Instruction Set Extensions
 * Programming Reference" and Software Developer's Manual: VDPBF16PS, VPDPBUSD, LDTILECFG, TILEZERO, TILELOADD, TILESTORED, TDPBF16PS,
 * TDPBSSD and its likes. What the manual calls a fault ends the program. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float flushed(float x) { return fpclassify(x) == FP_SUBNORMAL ? copysignf(0, x) : x; }

static float widened(uint16_t x) {
  const uint32_t bits = (uint32_t)x << 16;
  float number;
  memcpy(&number, &bits, 4);
  return number;
}

/* "FP32: FMA with DAZ=FTZ=1, RNE rounding." */
static float multiply_add(uint16_t a, uint16_t b, float total) {
  return flushed(fmaf(flushed(widened(a)), flushed(widened(b)), flushed(total)));
}

/* The odd element of a pair is added first. */
void emulated_dpbf16ps(float* total, const uint16_t* a, const uint16_t* b, int32_t lanes) {
  for (int lane = 0; lane < lanes; lane++)
    for (int element = 1; element >= 0; element--)
      total[lane] = multiply_add(a[2 * lane + element], b[2 * lane + element], total[lane]);
}

/* Products of 16 bits, summed in 32 without saturation; the first operand has no sign. */
void emulated_vpdpbusd(int32_t* total, const uint8_t* a, const int8_t* b, int32_t lanes) {
  for (int lane = 0; lane < lanes; lane++) {
    uint32_t sum = (uint32_t)total[lane];
    for (int element = 4 * lane; element < 4 * lane + 4; element++) sum += (uint32_t)((int32_t)a[element] * b[element]);
    total[lane] = (int32_t)sum;
  }
}

/* The tile registers of a thread; `rows` is 0 until they are configured. */
typedef struct { uint8_t bytes[16][64]; } tile;
static _Thread_local tile tiles[8];
static _Thread_local int rows;
static int configured, released;

static void fault(const char* what) {
  fprintf(stderr, "emulated instruction: %s\n", what);
  abort();
}

void emulated_ldtilecfg(const uint8_t* shapes) {
  if (shapes[0] != 1) fault("a palette that does not exist");
  for (int byte = 1; byte < 64; byte++) {
    const int is_width = byte >= 16 && byte < 32, is_rows = byte >= 48 && byte < 56;
    if (shapes[byte] != (is_width && byte % 2 == 0 ? 64 : is_rows ? 16 : 0)) fault("tiles of 16 rows of 64 bytes are expected");
  }
  memset(tiles, 0, sizeof tiles);
  rows = 16;
  __atomic_add_fetch(&configured, 1, __ATOMIC_RELAXED);
}

void emulated_tilerelease(void) {
  rows = 0;
  __atomic_add_fetch(&released, 1, __ATOMIC_RELAXED);
}

/* Threads that configured their tiles and did not release them. */
int emulated_tiles_held(void) { return configured - released; }
int emulated_tiles_configured(void) { return configured; }

void emulated_tileloadd64(uint8_t to, const uint8_t* from, int64_t pitch) {
  if (!rows) fault("a tile is loaded that is not configured");
  for (int row = 0; row < rows; row++) memcpy(tiles[to].bytes[row], from + row * pitch, 64);
}

void emulated_tilezero(uint8_t tile) {
  if (!rows) fault("a tile is cleared that is not configured");
  memset(&tiles[tile], 0, sizeof tiles[tile]);
}

void emulated_tilestored64(uint8_t from, uint8_t* to, int64_t pitch) {
  if (!rows) fault("a tile is stored that is not configured");
  for (int row = 0; row < rows; row++) memcpy(to + row * pitch, tiles[from].bytes[row], 64);
}

/* Even and odd elements are summed apart, and their sum is added at the end. */
void emulated_tdpbf16ps(uint8_t total, uint8_t a, uint8_t b) {
  if (!rows) fault("a product of tiles that are not configured");
  for (int row = 0; row < rows; row++) {
    float sums[32] = {0};
    for (int k = 0; k < 16; k++)
      for (int column = 0; column < 32; column++) {
        uint16_t x, y;
        memcpy(&x, &tiles[a].bytes[row][4 * k + 2 * (column % 2)], 2);
        memcpy(&y, &tiles[b].bytes[k][2 * column], 2);
        sums[column] = multiply_add(x, y, sums[column]);
      }
    for (int column = 0; column < 16; column++) {
      float held;
      memcpy(&held, &tiles[total].bytes[row][4 * column], 4);
      held = flushed(flushed(held) + flushed(sums[2 * column] + sums[2 * column + 1]));
      memcpy(&tiles[total].bytes[row][4 * column], &held, 4);
    }
  }
}

#define PRODUCT_OF_BYTES(name, type_a, type_b)                                                                     \
  void emulated_##name(uint8_t total, uint8_t a, uint8_t b) {                                                      \
    if (!rows) fault("a product of tiles that are not configured");                                                \
    for (int row = 0; row < rows; row++)                                                                           \
      for (int column = 0; column < 16; column++) {                                                                \
        uint32_t sum;                                                                                              \
        memcpy(&sum, &tiles[total].bytes[row][4 * column], 4);                                                     \
        for (int k = 0; k < 64; k++)                                                                               \
          sum += (uint32_t)((int32_t)(type_a)tiles[a].bytes[row][k] *                                              \
                            (int32_t)(type_b)tiles[b].bytes[k / 4][4 * column + k % 4]);                           \
        memcpy(&tiles[total].bytes[row][4 * column], &sum, 4);                                                     \
      }                                                                                                            \
  }
PRODUCT_OF_BYTES(tdpbssd, int8_t, int8_t)
PRODUCT_OF_BYTES(tdpbsud, int8_t, uint8_t)
PRODUCT_OF_BYTES(tdpbusd, uint8_t, int8_t)
PRODUCT_OF_BYTES(tdpbuud, uint8_t, uint8_t)
