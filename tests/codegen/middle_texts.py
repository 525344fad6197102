"""Operator texts that the tests of the middle share."""

RELU = "op relu(x: T[*S]) -> (y: T[*S]) for T in (f32, f16) { y[*s] = max(x[*s], 0) }"
SOFTMAX = """op softmax(x: T[R, C]) -> (y: T[R, C]) for T in (f32, f16) {
  hi[r]   = max[c](acc(x[r, c]))
  e[r, c] = exp(acc(x[r, c]) - hi[r])
  z[r]    = sum[c](e[r, c])
  y[r, c] = T(e[r, c] / z[r])
}"""
LINEAR = """op linear(x: T[M, K], w: T[N, K], b: T[N]) -> (y: T[M, N]) for T in (f32, f16) {
  a[m, n] = sum[k](acc(x[m, k]) * acc(w[n, k]))
  y[m, n] = T(max(a[m, n] + acc(b[n]), 0))
}"""
MLP = """op mlp(x: T[M, K], w1: T[H, K], w2: T[N, H], r: T[M, N]) -> (y: T[M, N]) for T in (f32, f16) {
  u[m, h] = T(max(sum[k](acc(x[m, k]) * acc(w1[h, k])), 0))
  y[m, n] = T(sum[h](acc(u[m, h]) * acc(w2[n, h])) + acc(r[m, n]))
}"""
NORM = """op norm(x: T[R, C], w: T[C]; eps: float = 1e-5) -> (y: T[R, C]) for T in (f32, f16) {
  mu[r]   = sum[c](acc(x[r, c])) / C
  var[r]  = sum[c]((acc(x[r, c]) - mu[r]) * (acc(x[r, c]) - mu[r])) / C
  y[r, c] = T((acc(x[r, c]) - mu[r]) / sqrt(var[r] + eps) * acc(w[c]))
}"""
CONV_BN = """op conv_bn(x: T[N, C, H, W], w: T[O, C, R, S], g: T[O], v: T[O], z: T[N, O, P, Q]; pad: int = 1; )
    -> (y: T[N, O, P, Q]) for T in (f32, f16) where P == H, Q == W, R == 3, S == 3, pad == 1 {
  scale[o] = acc(g[o]) / sqrt(acc(v[o]))
  y[n, o, p, q] = T(max(sum[c, r, s](acc(x[n, c, p + r - pad, q + s - pad] else 0) * acc(w[o, c, r, s])) * scale[o]
                        + acc(z[n, o, p, q]), 0))
}""".replace("; )", ")")
GROUPED = """op grouped(x: T[N, C, W], w: T[O, D, S]; groups: int = 2) -> (y: T[N, O, W - S + 1]) for T in (f32, f16)
    where groups > 0, C == D*groups, O % groups == 0, W >= S {
  y[n, o, q] = T(sum[c, s](acc(x[n, o / (O/groups) * D + c, q + s] else 0) * acc(w[o, c, s])))
}"""
RELU_POOL = """op relu_pool(x: T[H]) -> (y: T[H / 2]) for T in (f32, f16) {
  u[h] = max(x[h], 0)
  y[p] = max[r < 2](u[p*2 + r] else -inf)
}"""
RENAMED = """op renamed(x: T[R, C]) -> (y: T[R, C]) for T in (f32, f16) {
  hi[a]   = max[b](acc(x[a, b]))
  e[i, j] = exp(acc(x[i, j]) - hi[i])
  z[t]    = sum[u](e[t, u])
  y[r, c] = T(e[r, c] / z[r])
}"""
