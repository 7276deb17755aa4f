/* SPDX-License-Identifier: GPL-2.0 */
int mu_pv(void);
int mu_provide_gpl(void);
int mu_provide_space(void);
int mu_provide_weak(void);
int mu_secret(void);
int mu_xp(void);
int mu_xg(void);
