/** GLSL of the live objects: each point is one severity shape, drawn as a signed distance, with an outline. */

export const VERTEX = `#version 300 es
in vec2 a_place;           // Mercator units from the origin inside u_matrix
in uvec4 a_look;           // state, service, gathered into a cluster, colour on the heat scale (0 = none)
uniform mat4 u_matrix;
uniform uint u_services;   // one bit a service
uniform bool u_abnormal;   // second pass: only the abnormal, by index, worst last
uniform float u_dot;       // px of a normal object
uniform float u_mark;      // px of an abnormal one
uniform float u_station;   // px of a measured place while a heat map is on
flat out uint v_state;
flat out uint v_heat;
flat out float v_size;

void main() {
  uint service = a_look.y;
  bool shown = service > 31u || ((u_services >> service) & 1u) == 1u;
  if (!shown || (a_look.x != 0u) != u_abnormal) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    gl_PointSize = 1.0;
    return;
  }
  bool gathered = a_look.z != 0u;
  v_state = a_look.x;
  v_heat = a_look.w;
  float worth = v_state == 4u ? 1.3 : v_state == 3u ? 1.1 : v_state == 1u ? 0.84 : 1.0;
  v_size = u_abnormal ? (gathered ? u_mark * 0.42 : u_mark * worth) : (v_heat > 0u ? u_station : u_dot);
  gl_Position = u_matrix * vec4(a_place, 0.0, 1.0);
  gl_PointSize = v_size;
}`;

export const FRAGMENT = `#version 300 es
precision mediump float;
flat in uint v_state;
flat in uint v_heat;
flat in float v_size;
uniform vec3 u_colours[6];
uniform vec4 u_quiet;      // colour and opacity of a normal object
uniform vec3 u_outline;
uniform float u_line;      // px of the outline
uniform sampler2D u_scale; // 256 x 1
out vec4 o_colour;

float shape(vec2 p) {
  vec2 q = abs(p);
  if (v_state == 4u) return max(max(q.x, q.y), (q.x + q.y) * 0.7071) - 0.92;                       // octagon
  if (v_state == 3u) return max(p.y - 0.74, 0.8666 * q.x - 0.499 * p.y - 0.474);                   // triangle
  if (v_state == 2u) return (q.x + q.y) * 0.7071 - 0.67;                                           // diamond
  if (v_state == 5u) return max(q.x, q.y) - 0.72;                                                  // square
  return length(p) - 0.84;                                                                         // circle
}

/** The exclamation mark of a critical object, where it is big enough to be seen. */
bool marked(vec2 p) {
  return v_state == 4u && v_size > 12.0 && ((abs(p.x) < 0.14 && p.y > -0.52 && p.y < 0.14) || length(p - vec2(0.0, 0.45)) < 0.17);
}

void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  if (v_state == 0u && v_heat == 0u) {
    float inside = clamp((0.92 - length(p)) * v_size * 0.5 + 0.5, 0.0, 1.0) * u_quiet.a;
    o_colour = vec4(u_quiet.rgb * inside, inside);
    return;
  }
  float d = shape(p) * v_size * 0.5;
  vec3 fill = u_colours[v_state];
  if (v_state == 0u) fill = texture(u_scale, vec2((float(v_heat) - 0.5) / 255.0, 0.5)).rgb;
  if (v_state == 5u && fract((p.x + p.y) * 1.4) < 0.42) fill *= 0.35;
  if (marked(p)) fill = u_outline;
  vec3 colour = mix(fill, u_outline, clamp(d + u_line + 0.5, 0.0, 1.0));
  float alpha = clamp(0.5 - d, 0.0, 1.0);
  o_colour = vec4(colour * alpha, alpha);
}`;

/**
 * @param {WebGL2RenderingContext} gl
 * @returns {WebGLProgram}
 * @throws {Error} with the driver's words
 */
export function compile(gl) {
  const program = gl.createProgram();
  for (const [type, source] of /** @type {[number, string][]} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]])) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(type));
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(`map shader: ${gl.getShaderInfoLog(shader)}`);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, 'a_place');
  gl.bindAttribLocation(program, 1, 'a_look');
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`map shader: ${gl.getProgramInfoLog(program)}`);
  return program;
}
