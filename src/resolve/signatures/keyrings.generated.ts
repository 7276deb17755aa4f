// Made from fixtures/releases/ by "npm test -- -u". Do not edit.

/** `fixtures/releases/release-verification-openshift.yaml` */
export const VERIFICATION_OPENSHIFT = `# Release verification against Official Red Hat keys
apiVersion: v1
data:
  store-openshift-official-release: https://storage.googleapis.com/openshift-release/official/signatures/openshift/release
  store-openshift-official-release-mirror: https://mirror.openshift.com/pub/openshift-v4/signatures/openshift/release
  verifier-public-key-redhat: |
    -----BEGIN PGP PUBLIC KEY BLOCK-----
    Comment: Use "gpg --dearmor" for unpacking

    mQINBErgSTsBEACh2A4b0O9t+vzC9VrVtL1AKvUWi9OPCjkvR7Xd8DtJxeeMZ5eF
    0HtzIG58qDRybwUe89FZprB1ffuUKzdE+HcL3FbNWSSOXVjZIersdXyH3NvnLLLF
    0DNRB2ix3bXG9Rh/RXpFsNxDp2CEMdUvbYCzE79K1EnUTVh1L0Of023FtPSZXX0c
    u7Pb5DI5lX5YeoXO6RoodrIGYJsVBQWnrWw4xNTconUfNPk0EGZtEnzvH2zyPoJh
    XGF+Ncu9XwbalnYde10OCvSWAZ5zTCpoLMTvQjWpbCdWXJzCm6G+/hx9upke546H
    5IjtYm4dTIVTnc3wvDiODgBKRzOl9rEOCIgOuGtDxRxcQkjrC+xvg5Vkqn7vBUyW
    9pHedOU+PoF3DGOM+dqv+eNKBvh9YF9ugFAQBkcG7viZgvGEMGGUpzNgN7XnS1gj
    /DPo9mZESOYnKceve2tIC87p2hqjrxOHuI7fkZYeNIcAoa83rBltFXaBDYhWAKS1
    PcXS1/7JzP0ky7d0L6Xbu/If5kqWQpKwUInXtySRkuraVfuK3Bpa+X1XecWi24JY
    HVtlNX025xx1ewVzGNCTlWn1skQN2OOoQTV4C8/qFpTW6DTWYurd4+fE0OJFJZQF
    buhfXYwmRlVOgN5i77NTIJZJQfYFj38c/Iv5vZBPokO6mffrOTv3MHWVgQARAQAB
    tDNSZWQgSGF0LCBJbmMuIChyZWxlYXNlIGtleSAyKSA8c2VjdXJpdHlAcmVkaGF0
    LmNvbT6JAjYEEwEIACACGwMGCwkIBwMCBBUCCAMEFgIDAQIeAQIXgAUCSuBJPAAK
    CRAZni+R/UMdUfIkD/9m3HWv07uJG26R3KBexTo2FFu3rmZs+m2nfW8R3dBX+k0o
    AOFpgJCsNgKwU81LOPrkMN19G0+Yn/ZTCDD7cIQ7dhYuDyEX97xh4une/EhnnRuh
    ASzR+1xYbj/HcYZIL9kbslgpebMn+AhxbUTQF/mziug3hLidR9Bzvygq0Q09E11c
    OZL4BU6J2HqxL+9m2F+tnLdfhL7MsAq9nbmWAOpkbGefc5SXBSq0sWfwoes3X3yD
    Q8B5Xqr9AxABU7oUB+wRqvY69ZCxi/BhuuJCUxY89ZmwXfkVxeHl1tYfROUwOnJO
    GYSbI/o41KBK4DkIiDcT7QqvqvCyudnxZdBjL2QU6OrIJvWmKs319qSF9m3mXRSt
    ZzWtB89Pj5LZ6cdtuHvW9GO4qSoBLmAfB313pGkbgi1DE6tqCLHlA0yQ8zv99OWV
    cMDGmS7tVTZqfX1xQJ0N3bNORQNtikJC3G+zBCJzIeZleeDlMDQcww00yWU1oE7/
    To2UmykMGc7o9iggFWR2g0PIcKsA/SXdRKWPqCHG2uKHBvdRTQGupdXQ1sbV+AHw
    ycyA/9H/mp/NUSNM2cqnBDcZ6GhlHt59zWtEveiuU5fpTbp4GVcFXbW8jStj8j8z
    1HI3cywZO8+YNPzqyx0JWsidXGkfzkPHyS4jTG84lfu2JG8m/nqLnRSeKpl20ZkC
    DQRJpAMwARAAtv3O2z9ZR0N10nMWyJNC0FntWDoom0AUS8H/EouT5LYLbj4m05Cq
    WY8PKeA/nzO4w9VlM1BNF+7V4Npf3lJTDOHcOlyQENQJhDrZcEoO66zLU7zNAARL
    SOypunwurFOkbQTHXKg9XB/+nW7H4fJrs51QO1JV/j0QR1c3Vs4+svIfOHQY6IM3
    G2LvR3s6oI/5S84nKrEmT8/VHV4kU0QCIafFd9AQ/LkWmmtCgw5w+iMyb9w/T8UF
    mxTOGddhjfS8nmapg+26Ss2Zlxv93a7311YrF2l6dzNO7dzZQWtw7fDRSCmdAxUV
    wc+W788UVZnR+g7ZA1lwzzrflnZta2awjq8khaQWUEaR8NdnqNTNZYqwDSKL+2fl
    dUIf2gcY+RFLt9rvWaYwDzzbUBehfyo2qBxx5hEALo+Ay3seC2OuOh79a3L9okBb
    gnbyykBkohQa32R9I/yF9/9CV0JWc29zLjBT8S1xgKAFfVD/0sP1k5gLk8xVZhtd
    1GBXjMK06DoqnF9lXCtGgtRQnEz9s+CVtz7Fr1PK1A0VGH6F6L3O3oOFZ+cB7dDQ
    WLDYWIgAH99tAFCB80GWIt/CYFcLiXxbuN7SWROFYoPvkUKurbBMfRbc9xMEUXyf
    c/ZhLxIonmZvr2zrzLyLophVT0gpix/myOuPSvHmZVUVrMdxFwlW9J0AEQEAAbQw
    UmVkIEhhdCwgSW5jLiAoYmV0YSBrZXkgMikgPHNlY3VyaXR5QHJlZGhhdC5jb20+
    iQI2BBMBCAAgAhsDBgsJCAcDAgQVAggDBBYCAwECHgECF4AFAkpSM+gACgkQk4qA
    yvIVQesUdA/9F94ainS9eCMpGyYzhgoPTMJL1zp7OKDEt0Yf8FB5s/zTqiQ7qujA
    i6frKmvswV6KRGFoTXeEtydW1JlRyFZFfao9wYhyK8X39WBzjdNlCH4E9hRLinGC
    hpV91q/UI4DixoTS9mqt7JRFrIByhRkXhb2UBcWfXTn5NP+o+CPB9NhknH6b9DWh
    8Iz4QN4dB7UJ8mk/356hvzp/CnjhYixkE31iBbkTpQPiYY0uJLrejk3o3herFBhb
    6vC6YUrjbnzcm5KP+aVY73GQMWKPK+ZczVsQY3k2SB/uKRiiKzpHICTCF39zfMGp
    UiNJ15nrCI6LfFhyFcwaoaQk2DQpj9N63RmNvU34JKiTkhXMTXE3HZPBa8Jym/t2
    tlvMM7aV+liXcdnBPaWYIRyBBSroz+gYQznCBVXWJsx4/CKWZRzTimGQmsRIcjkG
    95dsvX2pwcOr73wfTbVDlVdAn+1VQMKb58gErow4RWqVwJ+SyZmuRDYonsSHp9Jt
    5kJXwZP3UPudWeTAB9xaWaXHbcILraYnw1+wgr/W6oosJEi7SquiAVHaIyc8YX4L
    JRhScNA6Flg3CAc8WFyH4Y+ZhUTBAu4el7HaYpdE9bY0lR0wJsXFIm6+52+LXxYt
    QhyZAjgzMT6GUvoWrdNeNMCXo4pk+xUNQgVjSFuHGLkfxg40oh8S5R4=
    =GmdY
    -----END PGP PUBLIC KEY BLOCK-----
kind: ConfigMap
metadata:
  annotations:
    include.release.openshift.io/hypershift: "true"
    include.release.openshift.io/ibm-cloud-managed: "true"
    include.release.openshift.io/self-managed-high-availability: "true"
    include.release.openshift.io/single-node-developer: "true"
    release.openshift.io/verification-config-map: ""
  creationTimestamp: null
  name: release-verification
  namespace: openshift-config-managed
  namespace: openshift-config-managed
`;

/** `fixtures/releases/release-verification-okd.yaml` */
export const VERIFICATION_OKD = `# Release verification against OpenShift CI keys signed by the CI infrastructure
apiVersion: v1
data:
  store-openshift-ci-release: https://storage.googleapis.com/openshift-ci-release/releases/signatures/openshift/release
  verifier-public-key-ci: |
    -----BEGIN PGP PUBLIC KEY BLOCK-----
    Comment: Use "gpg --dearmor" for unpacking

    mQENBFy9Q6sBCAD1MvcwX9f1Vu/M/dh+SJYbuAP4urtZZ7YoZOlzo6lw/xDF9z0E
    ef8BXAtO7YMStfbxn5Rqb3kPnA20CRXraW4PqA5mB37ubDGThxb8catCTeWpd/5o
    mrbjLMrKCpg0ODfTgNZYj9gRDyDTKPjlW2xjX9Cmj/lmmGPYDG4qdrNpeicmMjpY
    XyYDVxFTRFMdifxTjHQRT5R9Pdq8WDFLrd3ZZWo4fN5Rb+ByWh8MusHj+FyHxA4J
    fD/G6VHyn19T7xT/g53JfPobKLdaoXKdSaorCYKWuyGaGyLStAn1MXgchswcBZcU
    92EegcoZY8K3cYhRbw7rQUUkx3p0yviS1DrPABEBAAG0DG9wZW5zaGlmdC1jaYkB
    VAQTAQgAPhYhBNBHYbEWIDsMCFm2Fii3bgW5I4iOBQJcvUOrAhsDBQkDwmcABQsJ
    CAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJECi3bgW5I4iOqwUH+wTRXXZkB6PdksQ2
    tF/x3vT3YAp1Fvm+aBt0L3+nUyI4W4wWmCvQ9mYqkXMDSx8rgSwMtwwJe7xJBkA1
    fK8CoPeCqHc/omoLUS6/BjcbsXyS/ns6d5Zv0fKVHumZ23V2qVJwPpmNdpkdfBhw
    HFKm0HLPaCyKM38fOPhrUwEW8OceVdHfBnkkAyYXA9+9qGF3gHC3MXMLkaH6pDYY
    Nfx2P4+qYnMnTMSOOvKsJWY7t8Tnv1Qotag/uW8yWlIBSnvg1BQ7u1ZJs1EKSwhw
    QbIrYj+eS+e8ddN7qSHJToMzHstTjSYQThA1iCVU6S+KHaLFeynf1d6PqkyeH/GD
    bk+E+hu5AQ0EXL1DqwEIANhU5FczwquEAcjhA+kf+ni0Ul9Q2aq+rAL31dg+sGMZ
    awcDu5aocwolXeBIkVl235GFfJSdYRzIbk5lSqVK+Wt5Yj4yOIO+QEAk5I51dzOC
    5i3APTqOM0UPQ168ubcoT5LY/aWLJqnVAjgY/Sn2vXAwsYvkuJZMpeOPoNgocAWw
    wGxXkPEy//OA3rwyy6PER2U7xLWL5SOH8oxjnsnHA98nF4iuOQqbwPTwfyWN7xr7
    HAY6KiawHmD0T3ywswR1bEZ1CYn8KxpNMuHf7tbaMPONvawVEqM1xc9+4tB3ImdM
    UB9eIiwIspq68mdE43eyUeM9f2foNR67Kj6F7hvBwDsAEQEAAYkBNgQYAQgAIBYh
    BNBHYbEWIDsMCFm2Fii3bgW5I4iOBQJcvUOrAhsMAAoJECi3bgW5I4iOLCAIANNd
    BwFFJpTaEZhOvDEsfOmHDFE+xG2fBq+SO53A4M/4xfJ6BVnpRvAgPvEu/ED8LMIB
    buaMUpXjAwULIOnNEBsYem+m3IKcrZAIhfXAjI8EqzprjciUiVEx0+XR6eIbsFm2
    gm61vHfbviKSyQg3hpKG8/g2sFgQ9CNi5DFghIYesp+7NwCC+UOVGBu90O4SIq+I
    Ms2n3OTR2GIEz0LgEvC/3R7pkBNjLNTccExBNqOShJy3XnwntvYflxVwEBVsyEbK
    LvLU2xtlIE/IdGssKQR8UFFsgFmGiX3t1TcahFnLlr6Et+vB4J02Xr+uvZ81v/Zq
    1OHz7iIjrd28MslYu26ZAg0EYIg3twEQAMxTbWa92ICCbnNCJo/uoXaV2Pm50f0o
    gj6QPwshDLSzwhNBKYSKragnnwe6mtFLpnKivP03xdV/6K9VFXvUiLn7RvkStfPV
    vWSn9bOrHGUJ2Y5dbcSjgTrrmU1YuutY0S3OC451n0vAOxQGgJKZoMHRqocdlaTa
    PG0e5SZ2wpL0rbJKjAjru5RaXdaiRSItKGEN2moXe1ZDwG056WyLrbVvKl8l9eSS
    L++WA036BiSTHMOkeUJySqHhMeHD+u29xe0xQZPRvU8zErzEuflYzt+R3VVfKtEb
    oUmwEGThs8/tjw8Beo2t+mbJunHpQ+vyI61a66+awg4WTV7v7PPvb8Of1nNcuBl4
    2Zg0Nt8CCDzlQBzWMQnCSzBwnNGa/hiLXzkG/cD/5WaIr80iY948FrcnqCxYZr3c
    WLhzE14RJaH3zqPR+Z+lp3oL9V+Vl4q05ytc0F7GM+/ooCTh9fPeUUjdRAE3182C
    sXyx/hYo55DXoxmLE8FBhzEz4XrnrPQ8wyOxijTjRz9rZqfFseDNc1JAjSqQ26uQ
    5RgDTlNO0POjlLaKt5+PviRMP7OfIFOCtOahpxPd+GGuWniSgVmwwR496PC0eyYP
    jw9k8Ero2kYCNto7VeKwA8t1gYg1P/yI3hYH81LQt5hiSX1kdnGCEh563uVTjfaa
    SopiMpBvJAjXABEBAAG0b29wZW5zaGlmdC1jaS1yZWxlYXNlLWtleSAoVGhpcyBr
    ZXkgaXMgdXNlZCB0byBzaWduIHJlbGVhc2VzIGZyb20gdGhlIE9wZW5TaGlmdCBD
    SSBzeXN0ZW0pIDxjY29sZW1hbkByZWRoYXQuY29tPokCVAQTAQgAPhYhBCDMx60n
    Lc06oWnxKmXCg3H1XSmpBQJgiDe3AhsDBQkDwmcABQsJCAcCBhUKCQgLAgQWAgMB
    Ah4BAheAAAoJEGXCg3H1XSmpeWMQAK3fSZVF+LmCdagSrsdahzpBN0BEtt4t/hmj
    QvFyCdkwbn9u1uvPS2XKZ5+fBXbijbxs7TCcDFhLT7BUSil7Y8F/49GTpYcYeD/7
    Sr9yYCKus6Hji3I42NmQKKhqoh6KvyvTZ4LR0WYCQi0qC/zmw0Xtc+cmTuQ+A/gk
    AhYKKN4RrVj8u9PQk/cekvuvSHFFUzxM6RQtmmGR7NhcpEiKTkEncMVhcyzItz3t
    Upvtp/Ip3pvUFyWQEO8VUVC08ERWl8nSXu8+hDTlhP5HBH1UTsGDCzwkTW44A4zA
    wSncWBW0yF3zw6UlzS37BtwVVhuxW3DhL0zbyUtHOn4MX4vOZ+7e+t+Tum1vU3TA
    +3ynbSVsvqwez0g1yUelXR4Kp/QH8hBT7yWgkAVnUSuLmQ70i6Abukun4HwTYBnB
    kSoHYFW96gaLgF/7K6BWzQCOaskjDsFz8kDB1U5rx73Xy0hV3JhrLUic9BU7a3xH
    uZoq94jK9hqAmrkmUlLG3KL4kQyysKS4Cg8HMQPa2pU6ghXFHeBT2/ltHa75Tq8O
    cOx26Pn8Sm3azupi0gjK826e0+1oz4wxmgbu7IOx1QuNCl5+f8mMWnlhY+Rv6Uha
    EBIVebMsZK3MDydAXvZLJu9Vq/ZhLPZhJwjrK3FZQ3N1BdFuoz81R3Y67XJyfJuL
    QGIZ4AtgmQENBGQlqowBCADVFytGk7WK1lcYF1nFflSh+enOPCZUvkP+7krYkCzo
    eS11kC7cZhxUohjfB6XrW6wBaiZrv2NYdu7LBJj5TLNfVbirh5VWN/jHhoHiOYRm
    Tpr3p8rBYyYSTr5tmI6q5IUS4kC+sIHzfnwkJ+NEm5CuO/R8nHknmiKf0RVQzOt/
    zZJrxuEWZiQQNh3mt9xz0o4/sSQFkS47g4MCaBSKpXrWv6a7Us+ETDwNBBvNjk7s
    S5gZ39IwBNOsu83/dEwNKluEEeBaDbX8p0eoKwuODd3Lgy+6DOweXrTXGHBJuBsu
    fqApmpscbUSj+lJHIZpe95LTX67eBWi/xb6wFz4q8/B3ABEBAAG0b29wZW5zaGlm
    dC1jaS1yZWxlYXNlLWtleSAoVGhpcyBrZXkgaXMgdXNlZCB0byBzaWduIHJlbGVh
    c2VzIGZyb20gdGhlIE9wZW5TaGlmdCBDSSBzeXN0ZW0pIDxicmF3aWxsaUByZWRo
    YXQuY29tPokBVwQTAQgAQRYhBP5SbY9v7cEjviGeRc9LReIHHwM3BQJkJaqMAhsD
    BQkDwmcABQsJCAcCAiICBhUKCQgLAgQWAgMBAh4HAheAAAoJEM9LReIHHwM3iUYH
    /2i0yc+TT4sflLTePA1EmO7NtvzBDUKn625zZmZ5eQf4GKvJLpFgCZvxxt5s+Pbi
    5XgN9JHx07HNpSe1/NC0SBvj55Dq7lUiP08VwdeK2UE0d15kuGO9gNmyLCcxF2TC
    9Fcj5491NKM4Ho3Z3DiJRo/lQPO/oELjFB3unxlOwRA96zQxA5GHZ713/I9s1u+v
    eXXfVwLTPByh85a8HAtRHYPsN1wcUvnbe3bfw8c1x2Nf5m7w6MOLs3xP6rpWfVAh
    GtHDXI77F5RZO1wnq8zj7LOiDM4cZHsHbkwgDEwf819Pbm+zIvB3874sFdAYzH1r
    c/7YHUEHCNyN9BmTM+x9Lsu5AQ0EZCWqjAEIAOjbIyiuwtotXlvNxt9MzKnu5N8w
    g6UNBfsZAdnPGI4+pNIQfRYD8lMzryL5JQaiJNeQk/iIoJAeevpXK4M2H+bbeugh
    9amWMrniySYat/fg5yFXGnvyZuKUQ0YK5lyVynUk9t+HBJWAsuzd3/xHfEWST8iZ
    luqVVcmlpI9h+4yyfwrtXRGFOO/Q5/93NHVUJybBsiacShktG75P1BCn0J4fTMtd
    Ru9fwnrT0c3kWgLe6HiBU2TlNshDiKqyb9rQaSWCGElvNZf2sPTjSxhdOjoNMgfn
    XJejixtU21mmKCNUsV0k7Ux1WrtH504h6WpmAolLD+7J4okYZDbOQhh8YCkAEQEA
    AYkBPAQYAQgAJhYhBP5SbY9v7cEjviGeRc9LReIHHwM3BQJkJaqMAhsMBQkDwmcA
    AAoJEM9LReIHHwM31vwH/ixZVgVHOm86+/myouQB98a8v0+lkZZG3wkyelMH1D5T
    BGksISUSsuXpUx5Unc1H7YOBb5dHs4/H/Scj8DuWKMEy5LezmQ+g4ubatK5Oqw4G
    +w7kghp+w8Ce5a7YcR902GfmafwIqM0FewL/i4lPD4yA86SwIpU/NDsdI9aID60L
    tCXkmarLGSc1x5vIEfIOuwrqxKLaWjqt5R5E0zPuHUKbTsypOfkHbhE+uLw6wcX5
    +zumNTwAXq0v7rckIvHAznz+wIQHW+j+PHCv1PJlh7UWC9u9UmGGKWKwPyhIWI0W
    6ZYeSgEPShg9DvAbKeN3UHIOa/tV89Y8+RDt/4UnRduZAQ0EZ8cmiwEIALQq42+w
    78UciAGv6MuYTf8f3a88fo2gSfGK/G8dJtIqL6a1td2Ef0mal1ZvupnKHKnps2yO
    +ZDmFk3Hmjdd0+HBbyt0MCjNSgf3qIzHSukE+eFHdehIvpZaRlg7uSHYbTSJM0wk
    GoEnh84Tay58oj2wnfAh08AagLpAo44vFxQKWdifLLwucn1xddWEesMHm1vQtmDj
    xDmtatq3hsn88ihJpYuGinG8g7H8IUMu+bW8INtJ8pJU6vC0Kd1b4cvAC7KHWsQH
    DKmcIfqofURi91FsIgFNOZIYaQy17lVTI9u33Ru5g8uwm0nwftkklLEWc6iuCq2a
    5x2sf+1t7NP/hscAEQEAAbRvb3BlbnNoaWZ0LWNpLXJlbGVhc2Uta2V5IChUaGlz
    IGtleSBpcyB1c2VkIHRvIHNpZ24gcmVsZWFzZXMgZnJvbSB0aGUgT3BlblNoaWZ0
    IENJIHN5c3RlbSkgPGJyYXdpbGxpQHJlZGhhdC5jb20+iQFXBBMBCABBFiEEapWI
    8H8tOueXOtKpGT5TzNLi96QFAmfHJosCGwMFCQPl/4AFCwkIBwICIgIGFQoJCAsC
    BBYCAwECHgcCF4AACgkQGT5TzNLi96Rj/wf+NongjbfAC4uHAxP+dkXw7imLYf1e
    az2GQz61pSI8Pb9jv6C2jZTwW4iFX8myTThGqwsggZPArff3bDrSbvgAJ/1kSZSh
    QldOLEapx8px+DrVcpTirgGvym3Yj3mY9zAvUvZV+F7Pjr7l5vXeygI0VkclcOYw
    INkKRVtoBbk7Z1fa9C/2imUsmBd1inEFGRp8g15xO0tj9UmGpbC9pePNtv2jTdan
    MHreqjSqmgoeNlg3XXYEepNGZnJhv4qN4tCwW/D+1TQEi3utNVRCCo0IcfCHJQOJ
    9gtit56JS9hE0bmcwxP4dUAin/3MmnSn0mZiFJEsqEnkoUl43omtk8KSV4kBMwQQ
    AQgAHRYhBP5SbY9v7cEjviGeRc9LReIHHwM3BQJnyewjAAoJEM9LReIHHwM35dYH
    /2LJyZO0MFMwRXXh6Vdpe9WzpM1v1+hGWq/MaB2+YTQ12lSx6EqT9dinbPUhwldG
    sAgIi+m/QvPMMYh2mVNR5wIBosynzOFQ9qcB7ZbaEPJ6CIRioJ0LSETH1spQGQUZ
    B6RMKaPtwy9zZAEO6KOKJEwK5n5hxln09ktuXnIedocnxxedbXQI8c2/HlsSdpqx
    /YFzTocRebCVsC9nBoOFlcCZi89C7ynLWcrZZ7VunRLnZxwhKYwFeqi0gSObxtoF
    ktK0kN7VQJdOqCFzNUnJmsuxoZKc2W1eNE3BWx4YAeg7CwoeJD7sA3yuF1qo4NMc
    72w9ntn8r+BOxPDoGx0vYny5AQ0EZ8cmiwEIAMJr0clVGDv9mFOIb9KcLfciRT8D
    OvlQCCFZgo1xRZMwaEaeh8xcf5JYjmz5k8mX5t3/0L2wzmLQtda3zl8QDHhRQGV4
    4I3mR8KAzZ7k2ncq2zYKXM1y+WDmBGMPdInWsAc+wCgurEUCTirL+uTHx17K1r2H
    HXlCPkZx/eCG9R5gfNEKSrYaWJ5JtUv3Eiu7vFTmScxvgbMsXp/uvgIWNsIjcSje
    DxvpNOt8Xkut8PwNCPLxNFLrvjxFYwm2D7rMXB8rxQuzHu2+4vOYFLq2+GrV00zv
    6yFjU+gqKY2juGPsyXSlHyHsqqkiOHjM4ebJmpi9GEyo9Wm3HYh4qzPs7+0AEQEA
    AYkBPAQYAQgAJhYhBGqViPB/LTrnlzrSqRk+U8zS4vekBQJnxyaLAhsMBQkD5f+A
    AAoJEBk+U8zS4vekayoH/ibrLX1MAjYhMTIXYdU+dX0JoUw7czOrIQEiXmSMJ1qa
    lrO9YSe2cmZJQLVRsmi1HKooWuLwjicViTTXG1tops9vQPaGvPwo7pEPeOk5Ebxe
    MtGl3LRL8/RrrIpiaHM3UJyZgkH1LkXrK0flUNMw9xYjzvHYHlfW4DkrInyOR8Kk
    lzJKwnir6JBX+OnEFWdnpYDLgtHw6zJNk4OgmmBhbY81ekdztCRSRN65wHRkxa14
    zofTG94vHC5yighV9FjpMNtifDa+rJX8+lEvjj039hVv1gPOSqOnhfSYm2sgZDxI
    sKnV4UmJSMcfBPAe7x8+p/6jF/j6xQJKymIytMhggcY=
    =yTU7
    -----END PGP PUBLIC KEY BLOCK-----
kind: ConfigMap
metadata:
  annotations:
    include.release.openshift.io/hypershift: "true"
    include.release.openshift.io/ibm-cloud-managed: "true"
    include.release.openshift.io/self-managed-high-availability: "true"
    include.release.openshift.io/single-node-developer: "true"
    release.openshift.io/verification-config-map: ""
  creationTimestamp: null
  name: release-verification
  namespace: openshift-config-managed
`;
